package io.gatun.tools.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.DraftOptions;
import io.gatun.tools.options.ModelOptions;
import io.gatun.tools.options.TextOptions;
import io.gatun.tools.remote.RemoteOptions;
import io.gatun.tools.remote.RemoteServer;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun generate`: continues a text.
@Command(
    name = "generate",
    description = "Write on from a prompt with a language model.",
    sortOptions = false)
public final class Generate implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model;

  @Mixin private RemoteOptions remote = RemoteOptions.ofText();

  @Mixin private TextOptions text;

  @Mixin private AnswerOptions answer = new AnswerOptions(256);

  @Mixin private DraftOptions draft;

  @Option(
      names = {"-q", "--quiet"},
      description = "Print the text alone, without the prompt and the figures.")
  private boolean quiet;

  @Option(
      names = "--json",
      description = "Print one JSON object at the end: the text, its token ids and the figures.")
  private boolean json;

  @Override
  public Integer call() {
    answer.check();
    draft.check();
    if (remote.isGiven()) {
      return askServer();
    }
    String start = prompt();
    var out = spec.commandLine().getOut();
    long began = System.nanoTime();
    try (var llm = model.load();
        var guesses = draft.open(llm);
        var session = llm.newSession()) {
      double loaded = (System.nanoTime() - began) / 1e9;
      var interrupts = Interrupts.of(spec);
      interrupts.stopBy(Thread.currentThread()::interrupt);
      int[] prompt = llm.tokenizer().encode(start);
      var result =
          session.generate(
              prompt,
              o -> {
                answer.apply(o, json ? new PrintWriter(Writer.nullWriter()) : out);
                guesses.apply(o);
                // What is going to be refused should not stand before the message that says so.
                if (!quiet && !json && prompt.length <= session.capacity()) {
                  out.print(start);
                  out.flush();
                }
              });
      out.println(json ? Json.of(asMap(llm, start, result, loaded)) : "");
      out.flush();
      var err = spec.commandLine().getErr();
      if (!json && result.reason() == Generation.Reason.CONTEXT) {
        err.println(contextFull(session.capacity()));
      }
      if (!quiet && !json) {
        err.println(figures(result, loaded));
      }
      return result.reason() == Generation.Reason.CANCELLED ? stopped(interrupts, result) : 0;
    }
  }

  private int askServer() {
    String start = prompt();
    var out = spec.commandLine().getOut();
    var interrupts = Interrupts.of(spec);
    interrupts.stopBy(Thread.currentThread()::interrupt);
    var body = RemoteServer.body();
    answer.tell(body);
    body.put("model", remote.model()).put("prompt", start);
    try (var server = remote.open()) {
      server.stream("v1/completions", body, new Shown(quiet ? "" : start, out)::add);
      out.println();
      return 0;
    } catch (CancellationException e) {
      out.println();
      return interrupts.code();
    } finally {
      out.flush();
    }
  }

  /// What a server writes on from a text, which stands before the first that comes.
  private static final class Shown {
    private final PrintWriter out;
    private String before;

    Shown(String before, PrintWriter out) {
      this.before = before;
      this.out = out;
    }

    void add(JsonNode event) {
      out.print(before + event.at("/choices/0/text").asText(""));
      out.flush();
      before = "";
    }
  }

  private int stopped(Interrupts interrupts, Generation result) {
    if (!quiet && !json) {
      int tokens = result.ids().length;
      spec.commandLine().getErr().println("gatun generate: stopped after " + tokens + " tokens");
    }
    return interrupts.code();
  }

  /// What to say of an answer that ended for want of room.
  static String contextFull(int capacity) {
    return "[the context of %d tokens is full, which ended the answer: --context makes it longer, and --context-shift goes on without its older half]"
        .formatted(capacity);
  }

  /// The line feed that ends the last line of a file or of `echo` is no part of a prompt.
  private String prompt() {
    String read = text.read();
    return read == null ? "" : text.isTyped() ? read : read.replaceFirst("\\R\\z", "");
  }

  private static Map<String, Object> asMap(Llm llm, String start, Generation g, double loaded) {
    var map = new LinkedHashMap<String, Object>();
    map.put("model", llm.checkpoint().path().toString());
    map.put("prompt", start);
    map.putAll(asMap(g));
    map.put("load_seconds", loaded);
    return map;
  }

  /// An answer as `--json` prints it.
  public static Map<String, Object> asMap(Generation g) {
    var map = new LinkedHashMap<String, Object>();
    map.put("text", g.text());
    if (!g.thoughts().isEmpty()) {
      map.put("thoughts", g.thoughts());
    }
    map.put("ids", g.ids());
    map.put("reason", g.reason().name().toLowerCase(Locale.ROOT));
    map.put("prompt_tokens", g.promptTokens());
    map.put("prefill_seconds", g.prefillSeconds());
    map.put("decode_seconds", g.decodeSeconds());
    map.put("seed", g.seed());
    map.put("drafted_tokens", g.drafted());
    map.put("accepted_tokens", g.accepted());
    return map;
  }

  static String figures(Generation g, double loaded) {
    return String.format(
        Locale.ROOT,
        "[loaded in %.2f s; first token after %.2f s; prompt %d tokens, %.1f tok/s; wrote %d"
            + " tokens, %.1f tok/s%s; seed %d]",
        loaded,
        loaded + g.prefillSeconds(),
        g.promptTokens(),
        g.prefillRate(),
        g.ids().length,
        g.decodeRate(),
        guesses(g),
        g.seed());
  }

  /// `; of 120 guessed 64 were right`, or nothing where nothing was guessed.
  static String guesses(Generation g) {
    return g.drafted() == 0
        ? ""
        : "; of %d guessed %d were right".formatted(g.drafted(), g.accepted());
  }
}
