package io.gatun.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.TextEmbedder;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpStatus;

/// Ollama's `/api/chat`, `/api/generate`, `/api/embed` and `/api/embeddings`. Unlike Ollama's own
/// server this one never cuts what is too long: it refuses it.
final class Ollama {
  static final String PREFIX = "/api/";

  /// A number of seconds, or as in `1h30m`.
  private static final Pattern DURATION =
      Pattern.compile("-?(\\d+|(\\d+(\\.\\d+)?(ns|us|[\\u00b5\\u03bc]s|ms|s|m|h))+)");

  private static final int TEXTS = 2048;

  /// What is not said in `options`.
  private static final ObjectNode DEFAULTS =
      Call.JSON
          .createObjectNode()
          .put("temperature", .8)
          .put("top_k", 40)
          .put("top_p", .9)
          .put("repeat_penalty", 1.1);

  private final Models models;
  private final ServerOptions options;

  Ollama(Models models, ServerOptions options) {
    this.models = models;
    this.options = options;
  }

  void addTo(Routes routes) {
    routes
        .post("/api/chat", this::chat)
        .post("/api/generate", this::generate)
        .post("/api/embed", this::embed)
        .post("/api/embeddings", this::embedOne);
  }

  private void chat(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    long began = System.nanoTime();
    try (var lease = models.lease(f.requiredText("model"), Use.CHAT, TextModel.class)) {
      var reply = new Reply(f, lease, began, true);
      if (f.array("messages", 1).isEmpty()) {
        reply.load(call, f);
        return;
      }
      var conversation = Conversation.of(f, switches(f), lease.model());
      var choice = new Choice(conversation);
      reply.answer(call, f, conversation.prompt(), conversation, choice);
    }
  }

  private void generate(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    long began = System.nanoTime();
    try (var lease = models.lease(f.requiredText("model"), Use.CHAT, TextModel.class)) {
      var reply = new Reply(f, lease, began, false);
      f.only("suffix", "");
      f.only("template", "");
      Conversation.refuseImages(f);
      if (!f.array("context", Integer.MAX_VALUE).isEmpty()) {
        throw f.invalid("context", "is not known here: send the conversation to /api/chat");
      }
      String prompt = f.text("prompt", "");
      String system = f.text("system", "");
      boolean raw = f.flag("raw", false);
      if (prompt.isEmpty()) {
        reply.load(call, f);
        return;
      }
      var model = lease.model();
      var switches = switches(f);
      int[] tokens;
      if (raw || (model.template() == null && system.isEmpty())) {
        if (!system.isEmpty()) {
          throw f.invalid("system", "is set, and a raw prompt has no place for it");
        }
        tokens = model.tokenizer().encode(prompt);
      } else {
        var messages = new ArrayList<Map<String, Object>>();
        if (!system.isEmpty()) {
          messages.add(Map.of("role", "system", "content", system));
        }
        messages.add(Map.of("role", "user", "content", prompt));
        tokens = Conversation.of(messages, Map.of(), List.of(), true, switches, model).prompt();
      }
      reply.answer(call, f, tokens, null, new Choice(null));
    }
  }

  /// `think`, as templates know it.
  private static Map<String, Object> switches(Fields f) {
    var switches = new HashMap<String, Object>();
    JsonNode think = f.get("think");
    if (think != null && !think.isBoolean() && !think.asText().matches("low|medium|high")) {
      throw f.invalid(
          "think", "is %s; need true, false, low, medium or high".formatted(Fields.brief(think)));
    }
    if (think != null) {
      switches.put("enable_thinking", think.asBoolean(true));
      switches.put("thinking", think.asBoolean(true));
    }
    if (think != null && think.isTextual()) {
      switches.put("reasoning_effort", think.textValue());
    }
    return switches;
  }

  private static Constraint constraint(Fields f) {
    JsonNode format = f.get("format");
    if (format == null || format.asText("-").isEmpty() && format.isTextual()) {
      return null;
    }
    if (format.isTextual() && format.textValue().equals("json")) {
      return Constraint.jsonObject();
    }
    if (!format.isObject()) {
      throw f.invalid(
          "format", "is %s; need \"json\" or a JSON schema".formatted(Fields.brief(format)));
    }
    return Sampling.schema(format);
  }

  private Request request(Fields f, int[] prompt, TextModel model) {
    var merged = DEFAULTS.deepCopy();
    var given = f.object("options");
    if (given != null) {
      for (var field : f.get("options").properties()) {
        if (!field.getValue().isNull()) {
          merged.set(field.getKey(), field.getValue());
        }
      }
    }
    var o = Fields.of(merged, "options");
    var request = Sampling.request(o, prompt, model, options.timeout);
    int most = o.count("num_predict", -1, -2, Integer.MAX_VALUE); // below 0: what there is room for
    int limit = model.engine().contextLimit();
    // The context is never longer than the server's; what does not fit is refused, as always.
    int context = Math.min(limit, o.count("num_ctx", limit, 1, Integer.MAX_VALUE));
    if (prompt.length >= context) {
      throw ApiException.of(
          HttpStatus.BAD_REQUEST_400,
          "context_length_exceeded",
          "options.num_ctx",
          "the prompt has %d tokens; the context holds %d, one of the answer included. Shorten it%s"
              .formatted(prompt.length, context, context < limit ? ", or raise num_ctx" : ""));
    }
    o.only("mirostat", "0").only("tfs_z", "1", "1.0").only("penalize_newline", "true");
    // How it is computed is the server's to say, and nothing is ever shifted out of a context.
    o.ignore("num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "numa", "low_vram");
    o.ignore("f16_kv", "use_mmap", "use_mlock", "mirostat_tau", "mirostat_eta");
    o.requireAllRead();
    int room = context - prompt.length;
    return request.maxTokens(most < 0 ? room : Math.min(most, room));
  }

  /// @return whether the model is to be unloaded afterwards; it stays anyway for as long as there
  ///   is room for it
  private static boolean leaves(Fields f) {
    JsonNode value = f.get("keep_alive");
    if (value == null) {
      return false;
    }
    if (!value.isNumber() && !DURATION.matcher(value.asText()).matches()) {
      throw f.invalid(
          "keep_alive",
          "is %s; need seconds or a duration such as \"5m\"".formatted(Fields.brief(value)));
    }
    return !value.asText().matches(".*[1-9].*");
  }

  private static long nanos(double seconds) {
    return Math.max(0, Math.round(1e9 * seconds));
  }

  private void embed(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    embed(call, f, f.texts("input", TEXTS), true);
  }

  private void embedOne(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    embed(call, f, List.of(f.requiredText("prompt")), false);
  }

  private void embed(Call call, Fields f, List<String> texts, boolean several) throws IOException {
    long began = System.nanoTime();
    try (var lease = models.lease(f.requiredText("model"), Use.EMBEDDINGS, TextEmbedder.class)) {
      var model = lease.model();
      long loaded = System.nanoTime() - began;
      int dimension = f.count("dimensions", model.dimension(), 1, Integer.MAX_VALUE);
      if (!model.shortens(dimension)) {
        throw f.invalid(
            "dimensions",
            "is %d; this model's vectors have %d numbers, and are not known to be made to be cut to that length"
                .formatted(dimension, model.dimension()));
      }
      // Unlike Ollama's own, this server cuts nothing unless it is asked to: half a text may have
      // another meaning.
      var warnings = new ArrayList<String>();
      Consumer<String> cut = f.flag("truncate", false) ? warnings::add : null;
      f.ignore("options");
      boolean leaves = leaves(f);
      f.requireAllRead();
      call.interruptOnDisconnect();
      var ids = model.encode(texts, model.defaultPrompt(), cut);
      var vectors = Call.JSON.createArrayNode();
      for (float[] whole : model.embedTokens(ids)) {
        var vector = vectors.addArray();
        for (float v : model.shortened(whole, dimension)) {
          vector.add(v);
        }
      }
      var body = Call.JSON.createObjectNode();
      if (several) {
        body.put("model", lease.name()).set("embeddings", vectors);
        body.put("total_duration", System.nanoTime() - began)
            .put("load_duration", loaded)
            .put("prompt_eval_count", ids.stream().mapToInt(each -> each.length).sum());
      } else {
        body.set("embedding", vectors.get(0));
      }
      if (!warnings.isEmpty()) {
        warnings.forEach(body.putArray("warnings")::add);
      }
      if (leaves) {
        lease.leave();
      }
      call.send(body);
    }
  }

  /// Answers in the form of `/api/chat` or `/api/generate`.
  private final class Reply {
    private final Models.Lease<TextModel> lease;
    private final long began;
    private final long loadNanos;
    private final boolean chat;
    private final boolean leaves;
    private final boolean thoughts;
    private final boolean stream;

    Reply(Fields f, Models.Lease<TextModel> lease, long began, boolean chat) {
      this.lease = lease;
      this.began = began;
      this.chat = chat;
      loadNanos = System.nanoTime() - began;
      leaves = leaves(f);
      stream = f.flag("stream", true);
      JsonNode think = f.get("think");
      thoughts = think == null || think.asBoolean(true);
      f.ignore("truncate", "shift"); // neither is ever done
    }

    /// Answers a request that only asks for the model, or is done with it.
    void load(Call call, Fields f) throws IOException {
      f.ignore("options", "format", "tools", "think");
      f.requireAllRead();
      var body = part("", "", List.of()).put("done", true);
      end();
      call.send(body.put("done_reason", leaves ? "unload" : "load"));
    }

    private void end() {
      if (leaves) {
        lease.leave();
      }
    }

    void answer(Call call, Fields f, int[] prompt, Conversation conversation, Choice choice)
        throws IOException, InterruptedException {
      var request = request(f, prompt, lease.model());
      var constraint = constraint(f);
      request =
          conversation == null
              ? request.constraint(constraint)
              : conversation.constrained(request, constraint);
      f.requireAllRead();
      try (var answers = Answers.ask(call, lease.model(), List.of(request), 1, options.ping)) {
        if (stream) {
          call.begin("application/x-ndjson");
          stream(call, answers, choice);
        } else {
          for (var event = answers.next(); event != null; event = answers.next()) {
            if (event.piece() != null) {
              choice.take(event.piece());
            } else {
              choice.finish(event.result());
            }
          }
          end();
          var body = part(choice.content.toString(), choice.thoughts.toString(), choice.calls);
          call.send(done(body, choice.result));
        }
      }
    }

    private void stream(Call call, Answers answers, Choice choice)
        throws IOException, InterruptedException {
      int told = 0;
      try {
        for (var event = answers.next(); event != null; event = answers.next()) {
          if (event.piece() != null) {
            var part = choice.take(event.piece());
            // A call is told of as a whole, once another begins.
            int whole = Math.max(told, choice.calls.size() - 1);
            send(call, part, choice.calls.subList(told, whole));
            told = whole;
          } else {
            var part = choice.finish(event.result());
            send(call, part, choice.calls.subList(told, choice.calls.size()));
          }
        }
      } catch (RuntimeException e) {
        call.line(Errors.body(call.path(), Errors.of(e)));
        return;
      }
      end();
      call.line(done(part("", "", List.of()), choice.result));
    }

    private void send(Call call, Choice.Part part, List<Choice.ToolCall> calls) throws IOException {
      if (!part.text().isEmpty() || (thoughts && !part.thought().isEmpty()) || !calls.isEmpty()) {
        call.line(part(part.text(), part.thought(), calls).put("done", false));
      }
    }

    private ObjectNode part(String text, String thought, List<Choice.ToolCall> calls) {
      var part =
          Call.JSON
              .createObjectNode()
              .put("model", lease.name())
              .put("created_at", Instant.now().toString());
      var said = chat ? part.putObject("message").put("role", "assistant") : part;
      var content = new StringBuilder(text);
      for (var call : calls) {
        JsonNode arguments = object(call.arguments().toString());
        if (arguments == null) {
          content.append(call.name()).append(' ').append(call.arguments());
        } else {
          said.withArray("tool_calls")
              .addObject()
              .putObject("function")
              .put("name", call.name())
              .set("arguments", arguments);
        }
      }
      said.put(chat ? "content" : "response", content.toString());
      if (thoughts && !thought.isEmpty()) {
        said.put("thinking", thought);
      }
      return part;
    }

    /// This API has arguments as JSON; null for those that break off, which are told as text.
    private static JsonNode object(String arguments) {
      try {
        JsonNode read = Call.JSON.readTree(arguments);
        return read.isObject() ? read : null;
      } catch (JsonProcessingException e) {
        return null;
      }
    }

    private ObjectNode done(ObjectNode part, Result result) {
      var usage = result.usage();
      return part.put("done", true)
          .put("done_reason", Chat.reason(result))
          .put("total_duration", System.nanoTime() - began)
          .put("load_duration", loadNanos)
          .put("prompt_eval_count", usage.promptTokens())
          .put("prompt_eval_duration", nanos(usage.firstTokenSeconds() - usage.queueSeconds()))
          .put("eval_count", usage.answerTokens())
          .put("eval_duration", nanos(usage.seconds() - usage.firstTokenSeconds()));
    }
  }
}
