package io.gatun.tools.text;

import io.gatun.models.Llm;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.DraftOptions;
import io.gatun.tools.options.ModelOptions;
import io.gatun.tools.remote.RemoteOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun chat`: a conversation.
@Command(
    name = "chat",
    description = "Talk with a language model.",
    footer = "%nWithin the chat: /help",
    sortOptions = false)
public final class ChatCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private ModelOptions model;

  @Option(names = "--system", paramLabel = "TEXT", description = "Instructions for the assistant.")
  private String system = "";

  @Mixin private AnswerOptions answer = new AnswerOptions(512);

  @Mixin private DraftOptions draft;

  @Mixin private RemoteOptions remote = RemoteOptions.ofText();

  @Option(names = "--stats", description = "Print speeds after each answer.")
  private boolean stats;

  @Option(names = "--json", description = "Print each answer as one line of JSON.")
  private boolean json;

  /// Where the user's lines come from; null at the end.
  interface Input extends AutoCloseable {
    /// The next line; of a person it is asked for with `prompt`.
    String readLine(String prompt);

    PrintWriter out();

    /// Calls `stop` when the user presses Ctrl-C, until the next line is read.
    void onInterrupt(Runnable stop);

    @Override
    void close();
  }

  @Override
  public void run() {
    answer.check();
    draft.check();
    var stdio = Stdio.of(spec);
    boolean person = stdio.isInteractive() && !json;
    if (remote.isGiven()) {
      try (var server = remote.open();
          var input = person ? TerminalInput.open() : pipe(stdio)) {
        new RemoteChat(server, remote.model(), input, answer).run(system);
      }
      return;
    }
    try (var llm = model.load();
        var guesses = draft.open(llm);
        var chat = llm.newChat();
        var input = person ? TerminalInput.open() : pipe(stdio)) {
      if (person) {
        input
            .out()
            .printf(
                "%s, context %,d tokens%n/help lists the commands, Ctrl-C stops an answer, Ctrl-D"
                    + " leaves%n",
                description(llm), llm.contextLimit());
      }
      new Conversation(llm, chat, input, answer, guesses, stats, json).run(system);
    }
  }

  private static String description(Llm llm) {
    var config = llm.model().config();
    return "%s: %s, %d layers of %d"
        .formatted(
            llm.checkpoint().path().getFileName(),
            config.modelType(),
            config.numHiddenLayers(),
            config.hiddenSize());
  }

  /// Lines from a pipe or file.
  private Input pipe(Stdio stdio) {
    var in = new BufferedReader(new InputStreamReader(stdio.in(), StandardCharsets.UTF_8));
    var out = spec.commandLine().getOut();
    return new Input() {
      @Override
      public String readLine(String prompt) {
        try {
          return in.readLine();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }

      @Override
      public PrintWriter out() {
        return out;
      }

      @Override
      public void onInterrupt(Runnable stop) {}

      @Override
      public void close() {
        out.flush();
      }
    };
  }
}
