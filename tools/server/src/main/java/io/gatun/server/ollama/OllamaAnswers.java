package io.gatun.server.ollama;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.chat.ChatPrompt.Question;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.Errors;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.TextModel;
import io.gatun.server.models.Use;
import io.gatun.server.text.Answers;
import io.gatun.server.text.Messages;
import io.gatun.server.text.Sampling;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.HttpStatus;

/// Ollama's `/api/chat` and `/api/generate`. Unlike Ollama's own server this one never cuts what is
/// too long: it refuses it.
public final class OllamaAnswers {
  /// What is not said in `options`.
  private static final ObjectNode DEFAULTS =
      Call.JSON
          .createObjectNode()
          .put("temperature", .8)
          .put("top_k", 40)
          .put("top_p", .9)
          .put("repeat_penalty", 1.1);

  private final Models models;
  private final Settings settings;

  OllamaAnswers(Models models, Settings settings) {
    this.models = models;
    this.settings = settings;
  }

  void addTo(Routes routes) {
    routes.post("/api/chat", this::chat).post("/api/generate", this::generate);
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
      var prompt = Messages.prompt(f, switches(f), lease.model());
      reply.answer(call, f, prompt.tokens(), prompt, new ChatAnswer(prompt));
    }
  }

  private void generate(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    long began = System.nanoTime();
    try (var lease = models.lease(f.requiredText("model"), Use.CHAT, TextModel.class)) {
      var reply = new Reply(f, lease, began, false);
      f.only("suffix", "");
      f.only("template", "");
      Messages.refuseImages(f);
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
        var question = new Question(messages, Map.of(), List.of(), true, switches);
        tokens = Messages.prompt(question, model).tokens();
      }
      reply.answer(call, f, tokens, null, new ChatAnswer());
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
    var request = Sampling.request(o, prompt, model, settings.timeout);
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

  private static long nanos(double seconds) {
    return Math.max(0, Math.round(1e9 * seconds));
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
    private Result result;

    Reply(Fields f, Models.Lease<TextModel> lease, long began, boolean chat) {
      this.lease = lease;
      this.began = began;
      this.chat = chat;
      loadNanos = System.nanoTime() - began;
      leaves = KeepAlive.isOver(f);
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

    void answer(Call call, Fields f, int[] prompt, ChatPrompt chat, ChatAnswer choice)
        throws IOException, InterruptedException {
      var request = request(f, prompt, lease.model());
      var constraint = constraint(f);
      request =
          chat == null ? request.constraint(constraint) : chat.constrained(request, constraint);
      f.requireAllRead();
      try (var answers = Answers.ask(call, lease.model(), List.of(request), 1, settings.ping)) {
        if (stream) {
          call.begin("application/x-ndjson");
          stream(call, answers, choice);
        } else {
          answers.read(
              new Answers.Reader() {
                @Override
                public void piece(int index, Piece piece) {
                  choice.take(piece);
                }

                @Override
                public void end(int index, Result whole) {
                  choice.finish(whole);
                  result = whole;
                }
              });
          end();
          var body = part(choice.content(), choice.thoughts(), choice.calls());
          call.send(done(body));
        }
      }
    }

    private void stream(Call call, Answers answers, ChatAnswer choice)
        throws IOException, InterruptedException {
      try {
        answers.read(
            new Answers.Reader() {
              private int told;

              @Override
              public void piece(int index, Piece piece) throws IOException {
                var part = choice.take(piece);
                // A call is told of as a whole, once another begins.
                send(part, Math.max(told, choice.calls().size() - 1));
              }

              @Override
              public void end(int index, Result whole) throws IOException {
                result = whole;
                send(choice.finish(whole), choice.calls().size());
              }

              private void send(ChatAnswer.Part part, int whole) throws IOException {
                Reply.this.send(call, part, choice.calls().subList(told, whole));
                told = whole;
              }
            });
      } catch (RuntimeException e) {
        call.line(Errors.body(call.path(), Errors.of(e)));
        return;
      }
      end();
      call.line(done(part("", "", List.of())));
    }

    private void send(Call call, ChatAnswer.Part part, List<ChatAnswer.ToolCall> calls)
        throws IOException {
      if (!part.text().isEmpty() || (thoughts && !part.thought().isEmpty()) || !calls.isEmpty()) {
        call.line(part(part.text(), part.thought(), calls).put("done", false));
      }
    }

    private ObjectNode part(String text, String thought, List<ChatAnswer.ToolCall> calls) {
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

    private ObjectNode done(ObjectNode part) {
      var usage = result.usage();
      return part.put("done", true)
          .put("done_reason", Answers.reason(result))
          .put("total_duration", System.nanoTime() - began)
          .put("load_duration", loadNanos)
          .put("prompt_eval_count", usage.promptTokens())
          .put("prompt_eval_duration", nanos(usage.firstTokenSeconds() - usage.queueSeconds()))
          .put("eval_count", usage.answerTokens())
          .put("eval_duration", nanos(usage.seconds() - usage.firstTokenSeconds()));
    }
  }
}
