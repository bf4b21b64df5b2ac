package io.gatun.server;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/// OpenAI's `/v1/completions`: what follows texts, and how likely their own tokens are, which
/// evaluations ask for (`echo` with `logprobs`).
final class Completions {
  private static final int MAX_TOKENS = 16; // unless the request says more, as OpenAI has it
  private static final int TOP = 20;

  private final Models models;
  private final ServerOptions options;

  Completions(Models models, ServerOptions options) {
    this.models = models;
    this.options = options;
  }

  void addTo(Routes routes) {
    routes.post("/v1/completions", this::complete);
  }

  private void complete(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.CHAT, TextModel.class)) {
      var model = lease.model();
      int each = f.count("n", 1, 1, options.parallel);
      f.count("best_of", each, each, each);
      boolean echo = f.flag("echo", false);
      int top = f.count("logprobs", -1, 0, TOP);
      boolean stream = f.flag("stream", false);
      boolean usage = Chat.streamsUsage(f);
      if (stream && echo && top >= 0) {
        throw f.invalid("stream", "is true; how likely a prompt was is told as a whole only");
      }
      if (!f.text("suffix", "").isEmpty()) {
        throw f.invalid(
            "suffix",
            "is not supported: write the text that follows into the prompt, with the tokens that"
                + " the model knows for it");
      }
      var constraint = Sampling.constraint(f);
      int most = f.count("max_tokens", MAX_TOKENS, 0, Integer.MAX_VALUE);
      boolean marks = f.flag("add_special_tokens", true);
      var choices = new ArrayList<Choice>();
      var requests = new ArrayList<Request>();
      for (var prompt : Prompts.of(f, "prompt", options.queue + options.parallel)) {
        int[] ids =
            prompt.ids() != null
                ? prompt.ids()
                : model.tokenizer().encode(prompt.text(), marks, true);
        if (ids.length == 0) {
          throw f.invalid("prompt", "is empty, and this model puts no token before a text");
        }
        requests.add(
            Sampling.request(f, ids, model, options.timeout)
                .maxTokens(most)
                .constraint(constraint)
                .logprobs(top)
                .promptLogprobs(echo && top >= 0));
        String text = prompt.text();
        String said = !echo ? null : text != null ? text : readable(ids, model.tokenizer());
        for (int i = 0; i < each; i++) {
          choices.add(new Choice(model.tokenizer(), ids, said));
        }
      }
      Chat.ignoreHarmless(f);
      f.requireAllRead();
      var reply = new Reply(lease.name(), choices, each, top >= 0);
      try (var written = Answers.ask(call, model, requests, each, options.ping)) {
        if (stream) {
          reply.stream(call, written, usage);
        } else {
          reply.send(call, written);
        }
      }
    }
  }

  /// One answer as it comes.
  private static final class Choice {
    final Tokenizer tokenizer;
    final int[] prompt;
    final String echo;
    final StringBuilder text = new StringBuilder();
    final StringBuilder thoughts = new StringBuilder();
    final List<TokenLogprobs> tokens = new ArrayList<>();
    final LegacyLogprobs streamed;
    Result result;

    /// @param echo what is said before the answer; null for nothing
    Choice(Tokenizer tokenizer, int[] prompt, String echo) {
      this.tokenizer = tokenizer;
      this.prompt = prompt;
      this.echo = echo;
      streamed = LegacyLogprobs.after(prompt, tokenizer);
    }

    void take(Piece piece) {
      text.append(piece.text());
      thoughts.append(piece.thought());
      if (piece.logprobs() != null) {
        tokens.add(piece.logprobs());
      }
    }

    ObjectNode logprobs() {
      var all =
          echo == null
              ? LegacyLogprobs.after(prompt, tokenizer)
              : LegacyLogprobs.of(prompt, echo, result.promptLogprobs(), tokenizer);
      tokens.forEach(all::add);
      return all.take();
    }
  }

  private static String readable(int[] ids, Tokenizer tokenizer) {
    return tokenizer.decode(Arrays.stream(ids).filter(tokenizer::has).toArray());
  }

  private static final class Reply {
    private final String id = "cmpl-" + UUID.randomUUID();
    private final long created = System.currentTimeMillis() / 1000;
    private final String name;
    private final List<Choice> choices;
    private final int each;
    private final boolean logprobs;

    /// @param each answers to a prompt
    Reply(String name, List<Choice> choices, int each, boolean logprobs) {
      this.name = name;
      this.choices = choices;
      this.each = each;
      this.logprobs = logprobs;
    }

    private ObjectNode head() {
      return Call.JSON
          .createObjectNode()
          .put("id", id)
          .put("object", "text_completion")
          .put("created", created)
          .put("model", name);
    }

    private void addUsage(ObjectNode body) {
      Chat.addUsage(body, choices.stream().map(choice -> choice.result).toList(), each);
    }

    void send(Call call, Answers written) throws IOException, InterruptedException {
      for (var event = written.next(); event != null; event = written.next()) {
        var choice = choices.get(event.index());
        if (event.piece() != null) {
          choice.take(event.piece());
        } else {
          choice.result = event.result();
        }
      }
      var body = head();
      var list = body.putArray("choices");
      for (int i = 0; i < choices.size(); i++) {
        var choice = choices.get(i);
        String said = (choice.echo == null ? "" : choice.echo) + choice.text;
        var one = list.addObject().put("index", i).put("text", said);
        if (!choice.thoughts.isEmpty()) {
          one.put("reasoning_content", choice.thoughts.toString());
        }
        one.set("logprobs", logprobs ? choice.logprobs() : null);
        one.put("finish_reason", Chat.reason(choice.result));
      }
      addUsage(body);
      call.send(body);
    }

    void stream(Call call, Answers written, boolean usage)
        throws IOException, InterruptedException {
      call.begin("text/event-stream; charset=utf-8");
      for (int i = 0; i < choices.size(); i++) {
        if (choices.get(i).echo != null) {
          call.event(chunk(i, choices.get(i).echo, ""));
        }
      }
      try {
        for (var event = written.nextOf(call); event != null; event = written.nextOf(call)) {
          var choice = choices.get(event.index());
          if (event.piece() != null) {
            push(call, event.index(), choice, event.piece());
          } else {
            choice.result = event.result();
            var last = chunk(event.index(), "", "");
            ((ObjectNode) last.at("/choices/0")).put("finish_reason", Chat.reason(choice.result));
            last.set("timings", Chat.timings(choice.result.usage()));
            call.event(last);
          }
        }
      } catch (RuntimeException e) {
        call.event(Errors.body(call.path(), Errors.of(e)));
        return;
      }
      if (usage) {
        var last = head();
        last.putArray("choices");
        addUsage(last);
        call.event(last);
      }
      call.part("data: [DONE]\n\n");
    }

    private void push(Call call, int index, Choice choice, Piece piece) throws IOException {
      if (piece.text().isEmpty() && piece.thought().isEmpty() && piece.logprobs() == null) {
        return;
      }
      var chunk = chunk(index, piece.text(), piece.thought());
      if (piece.logprobs() != null) {
        choice.streamed.add(piece.logprobs());
        ((ObjectNode) chunk.at("/choices/0")).set("logprobs", choice.streamed.take());
      }
      call.event(chunk);
    }

    private ObjectNode chunk(int index, String text, String thought) {
      var chunk = head();
      var choice = chunk.putArray("choices").addObject().put("index", index).put("text", text);
      if (!thought.isEmpty()) {
        choice.put("reasoning_content", thought);
      }
      choice.putNull("logprobs").putNull("finish_reason");
      return chunk;
    }
  }
}
