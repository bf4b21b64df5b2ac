package io.gatun.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/// OpenAI's `/v1/chat/completions`.
final class Chat {
  private static final int TOP = 20;

  private final Models models;
  private final ServerOptions options;

  Chat(Models models, ServerOptions options) {
    this.models = models;
    this.options = options;
  }

  void addTo(Routes routes) {
    routes.post("/v1/chat/completions", this::complete);
  }

  private void complete(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    try (var lease = models.lease(f.text("model", null), Use.CHAT, TextModel.class)) {
      var model = lease.model();
      var conversation = Conversation.of(f, model);
      var constraint = Sampling.constraint(f);
      if (constraint != null && conversation.isForced()) {
        throw f.invalid("tool_choice", "asks for a call, and another field for another form");
      }
      int answers = f.count("n", 1, 1, options.parallel);
      boolean logprobs = f.flag("logprobs", false);
      int top = f.count("top_logprobs", 0, 0, TOP);
      if (top > 0 && !logprobs) {
        throw f.invalid("top_logprobs", "is set, and logprobs is not true");
      }
      int most = f.count("max_tokens", Integer.MAX_VALUE, 1, Integer.MAX_VALUE);
      most = f.count("max_completion_tokens", most, 1, Integer.MAX_VALUE);
      var request =
          conversation
              .constrained(
                  Sampling.request(f, conversation.prompt(), model, options.timeout), constraint)
              .logprobs(logprobs ? top : -1);
      request = request.maxTokens(Math.min(most, request.maxTokens()));
      boolean stream = f.flag("stream", false);
      boolean usage = streamsUsage(f);
      ignoreHarmless(f);
      f.requireAllRead();
      var reply = new Reply(lease.name(), model, conversation, answers);
      try (var written = Answers.ask(call, model, List.of(request), answers, options.ping)) {
        if (stream) {
          reply.stream(call, written, usage);
        } else {
          reply.send(call, written);
        }
      }
    }
  }

  /// Whether a stream ends with the usage.
  static boolean streamsUsage(Fields f) {
    var streaming = f.object("stream_options");
    if (streaming == null) {
      return false;
    }
    boolean usage = streaming.flag("include_usage", false);
    streaming.ignore("include_obfuscation").requireAllRead();
    return usage;
  }

  /// What says who asks, and what is kept of it: nothing is kept here.
  static void ignoreHarmless(Fields f) {
    f.ignore("user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention");
    f.only("store", "false");
    f.only("service_tier", "auto", "default");
    f.ignore("prediction"); // what it holds only guides guesses
    f.only("verbosity", "medium");
    f.only("modalities", "[\"text\"]", "");
  }

  private static final class Reply {
    private final String id = "chatcmpl-" + UUID.randomUUID();
    private final long created = System.currentTimeMillis() / 1000;
    private final String name;
    private final TextModel model;
    private final List<Choice> choices = new ArrayList<>();

    Reply(String name, TextModel model, Conversation conversation, int answers) {
      this.name = name;
      this.model = model;
      for (int i = 0; i < answers; i++) {
        choices.add(new Choice(conversation));
      }
    }

    private ObjectNode head(String object) {
      return Call.JSON
          .createObjectNode()
          .put("id", id)
          .put("object", object)
          .put("created", created)
          .put("model", name);
    }

    private Choice.Part take(Choice choice, Piece piece) {
      if (piece.logprobs() != null) {
        choice.logprobs.add(logprob(piece.logprobs(), model.tokenizer()));
      }
      return choice.take(piece);
    }

    void send(Call call, Answers written) throws IOException, InterruptedException {
      for (var event = written.next(); event != null; event = written.next()) {
        var choice = choices.get(event.index());
        if (event.piece() != null) {
          take(choice, event.piece());
        } else {
          choice.finish(event.result());
        }
      }
      var body = head("chat.completion");
      var list = body.putArray("choices");
      for (int i = 0; i < choices.size(); i++) {
        var choice = choices.get(i);
        var one = list.addObject().put("index", i);
        var message = one.putObject("message").put("role", "assistant");
        if (choice.content.isEmpty() && !choice.calls.isEmpty()) {
          message.putNull("content");
        } else {
          message.put("content", choice.content.toString());
        }
        if (!choice.thoughts.isEmpty()) {
          message.put("reasoning_content", choice.thoughts.toString());
        }
        if (!choice.calls.isEmpty()) {
          var calls = message.putArray("tool_calls");
          for (var each : choice.calls) {
            begin(calls.addObject(), each).put("arguments", each.arguments().toString());
          }
        }
        if (choice.logprobs.isEmpty()) {
          one.putNull("logprobs");
        } else {
          one.putObject("logprobs").set("content", choice.logprobs);
        }
        one.put("finish_reason", reason(choice));
      }
      addUsage(body, choices.stream().map(choice -> choice.result).toList());
      call.send(body);
    }

    void stream(Call call, Answers written, boolean usage)
        throws IOException, InterruptedException {
      call.begin("text/event-stream; charset=utf-8");
      for (int i = 0; i < choices.size(); i++) {
        var first = delta(i);
        delta(first).put("role", "assistant").put("content", "");
        call.event(first);
      }
      try {
        for (var event = written.nextOf(call); event != null; event = written.nextOf(call)) {
          var choice = choices.get(event.index());
          if (event.piece() != null) {
            push(call, event.index(), choice, event.piece());
          } else {
            end(call, event.index(), choice, event.result());
          }
        }
      } catch (RuntimeException e) {
        call.event(Errors.body(call.path(), Errors.of(e)));
        return;
      }
      if (usage) {
        var last = head("chat.completion.chunk");
        last.putArray("choices");
        addUsage(last, choices.stream().map(choice -> choice.result).toList());
        call.event(last);
      }
      call.part("data: [DONE]\n\n");
    }

    private void push(Call call, int index, Choice choice, Piece piece) throws IOException {
      var part = take(choice, piece);
      if (!part.isEmpty() || !choice.logprobs.isEmpty()) {
        send(call, index, choice, part);
      }
    }

    private void send(Call call, int index, Choice choice, Choice.Part part) throws IOException {
      var chunk = delta(index);
      var delta = delta(chunk);
      if (!part.thought().isEmpty()) {
        delta.put("reasoning_content", part.thought());
      }
      if (!part.text().isEmpty() || (part.thought().isEmpty() && part.calls().isEmpty())) {
        delta.put("content", part.text());
      }
      for (var each : part.calls()) {
        var one = delta.withArray("tool_calls").addObject().put("index", each.index());
        var function =
            each.begins() ? begin(one, choice.calls.get(each.index())) : one.putObject("function");
        function.put("arguments", each.arguments());
      }
      if (!choice.logprobs.isEmpty()) {
        ((ObjectNode) chunk.at("/choices/0"))
            .putObject("logprobs")
            .putArray("content")
            .addAll(choice.logprobs);
        choice.logprobs.removeAll();
      }
      call.event(chunk);
    }

    private void end(Call call, int index, Choice choice, Result result) throws IOException {
      var part = choice.finish(result);
      if (!part.isEmpty()) {
        send(call, index, choice, part);
      }
      var last = delta(index);
      ((ObjectNode) last.at("/choices/0")).put("finish_reason", reason(choice));
      last.set("timings", timings(result.usage()));
      call.event(last);
    }

    private ObjectNode delta(int index) {
      var chunk = head("chat.completion.chunk");
      var choice = chunk.putArray("choices").addObject().put("index", index);
      choice.putObject("delta");
      choice.putNull("logprobs").putNull("finish_reason");
      return chunk;
    }

    private static ObjectNode delta(ObjectNode chunk) {
      return (ObjectNode) chunk.at("/choices/0/delta");
    }

    /// @return the function's node
    private static ObjectNode begin(ObjectNode node, Choice.ToolCall call) {
      return node.put("id", call.id())
          .put("type", "function")
          .putObject("function")
          .put("name", call.name());
    }

    private static String reason(Choice choice) {
      String reason = Chat.reason(choice.result);
      return choice.calls.isEmpty() || reason.equals("length") ? reason : "tool_calls";
    }
  }

  static String reason(Result result) {
    return switch (result.reason()) {
      case LENGTH, CONTEXT -> "length";
      default -> "stop";
    };
  }

  /// `usage` of a prompt with one answer or several, and how long it took.
  static void addUsage(ObjectNode body, List<Result> results) {
    addUsage(body, results, results.size());
  }

  /// @param each answers to a prompt, which is counted once
  static void addUsage(ObjectNode body, List<Result> results, int each) {
    int prompt = 0;
    int cached = 0;
    int written = 0;
    for (int i = 0; i < results.size(); i++) {
      var usage = results.get(i).usage();
      if (i % each == 0) {
        prompt += usage.promptTokens();
        cached += usage.cachedTokens();
      }
      written += usage.answerTokens();
    }
    body.putObject("usage")
        .put("prompt_tokens", prompt)
        .put("completion_tokens", written)
        .put("total_tokens", prompt + written)
        .putObject("prompt_tokens_details")
        .put("cached_tokens", cached);
    body.set("timings", timings(results.getFirst().usage()));
  }

  /// In llama.cpp's words.
  static ObjectNode timings(Result.Usage usage) {
    double read = Math.max(0, usage.firstTokenSeconds() - usage.queueSeconds());
    double write = Math.max(0, usage.seconds() - usage.firstTokenSeconds());
    int more = Math.max(0, usage.answerTokens() - 1); // the first comes with the prompt
    return Call.JSON
        .createObjectNode()
        .put("cache_n", usage.cachedTokens())
        .put("prompt_n", usage.promptTokens() - usage.cachedTokens())
        .put("prompt_ms", 1000 * read)
        .put("predicted_n", usage.answerTokens())
        .put("predicted_ms", 1000 * write)
        .put("predicted_per_second", write == 0 ? 0 : more / write)
        .put("queue_ms", 1000 * usage.queueSeconds());
  }

  private static JsonNode logprob(TokenLogprobs found, Tokenizer tokenizer) {
    var node = token(found.token(), found.logprob(), tokenizer);
    var top = node.putArray("top_logprobs");
    for (int i = 0; i < found.top().length; i++) {
      top.add(token(found.top()[i], found.topLogprobs()[i], tokenizer));
    }
    return node;
  }

  private static ObjectNode token(int id, float logprob, Tokenizer tokenizer) {
    byte[] bytes = tokenizer.has(id) ? tokenizer.bytes(id) : new byte[0];
    var node =
        Call.JSON
            .createObjectNode()
            .put("token", new String(bytes, StandardCharsets.UTF_8))
            .put("logprob", finite(logprob));
    var array = node.putArray("bytes");
    for (byte b : bytes) {
      array.add(b & 0xff);
    }
    return node;
  }

  /// JSON has no infinity.
  static float finite(float logprob) {
    return Math.max(logprob, -9999);
  }
}
