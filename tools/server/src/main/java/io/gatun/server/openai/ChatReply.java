package io.gatun.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.text.Tokenizer;
import io.gatun.server.http.Call;
import io.gatun.server.models.TextModel;
import io.gatun.server.text.Answers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// An answer of `/v1/chat/completions`: messages, or what changes in them.
final class ChatReply extends Reply {
  private final Tokenizer tokenizer;
  private final ArrayNode sources;
  private final List<ChatAnswer> choices = new ArrayList<>();
  private final List<ArrayNode> logprobs = new ArrayList<>();

  /// @param sources that the answer is from; null if none were looked for
  ChatReply(
      Answers answers,
      String name,
      TextModel model,
      ChatPrompt prompt,
      int count,
      ArrayNode sources) {
    super(answers, "chatcmpl-", name, count, count);
    this.sources = sources;
    tokenizer = model.tokenizer();
    for (int i = 0; i < count; i++) {
      choices.add(new ChatAnswer(prompt));
      logprobs.add(Call.JSON.createArrayNode());
    }
  }

  @Override
  String object(boolean whole) {
    return whole ? "chat.completion" : "chat.completion.chunk";
  }

  @Override
  void tellBeside(ObjectNode body) {
    if (sources != null) {
      body.set("sources", sources);
    }
  }

  @Override
  void take(int index, Piece piece) {
    judge(index, piece);
    choices.get(index).take(piece);
  }

  private void judge(int index, Piece piece) {
    if (piece.logprobs() != null) {
      logprobs.get(index).add(logprob(piece.logprobs(), tokenizer));
    }
  }

  @Override
  void finish(int index, Result result) {
    choices.get(index).finish(result);
  }

  @Override
  void tell(int index, ObjectNode node) {
    var choice = choices.get(index);
    var message = node.putObject("message").put("role", "assistant");
    if (choice.content().isEmpty() && !choice.calls().isEmpty()) {
      message.putNull("content");
    } else {
      message.put("content", choice.content());
    }
    if (!choice.thoughts().isEmpty()) {
      message.put("reasoning_content", choice.thoughts());
    }
    if (!choice.calls().isEmpty()) {
      var calls = message.putArray("tool_calls");
      for (var each : choice.calls()) {
        begin(calls.addObject(), each).put("arguments", each.arguments().toString());
      }
    }
    if (logprobs.get(index).isEmpty()) {
      node.putNull("logprobs");
    } else {
      node.putObject("logprobs").set("content", logprobs.get(index));
    }
  }

  @Override
  void tellNothing(ObjectNode choice) {
    choice.putObject("delta");
  }

  private static ObjectNode delta(ObjectNode event) {
    return (ObjectNode) choice(event).get("delta");
  }

  @Override
  void begin(Call call, int index) throws IOException {
    var first = event(index);
    delta(first).put("role", "assistant").put("content", "");
    if (index == 0) {
      tellBeside(first);
    }
    call.event(first);
  }

  @Override
  void push(Call call, int index, Piece piece) throws IOException {
    judge(index, piece);
    var part = choices.get(index).take(piece);
    if (!part.isEmpty() || !logprobs.get(index).isEmpty()) {
      send(call, index, part);
    }
  }

  @Override
  void flush(Call call, int index, Result result) throws IOException {
    var part = choices.get(index).finish(result);
    if (!part.isEmpty()) {
      send(call, index, part);
    }
  }

  private void send(Call call, int index, ChatAnswer.Part part) throws IOException {
    var event = event(index);
    var delta = delta(event);
    if (!part.thought().isEmpty()) {
      delta.put("reasoning_content", part.thought());
    }
    if (!part.text().isEmpty() || (part.thought().isEmpty() && part.calls().isEmpty())) {
      delta.put("content", part.text());
    }
    for (var each : part.calls()) {
      var one = delta.withArray("tool_calls").addObject().put("index", each.index());
      var function =
          each.begins()
              ? begin(one, choices.get(index).calls().get(each.index()))
              : one.putObject("function");
      function.put("arguments", each.arguments());
    }
    if (!logprobs.get(index).isEmpty()) {
      choice(event).putObject("logprobs").set("content", logprobs.get(index));
      logprobs.set(index, Call.JSON.createArrayNode());
    }
    call.event(event);
  }

  /// @return the function's node
  private static ObjectNode begin(ObjectNode node, ChatAnswer.ToolCall call) {
    return node.put("id", call.id())
        .put("type", "function")
        .putObject("function")
        .put("name", call.name());
  }

  @Override
  String reason(int index, Result result) {
    String reason = Answers.reason(result);
    boolean calls = !choices.get(index).calls().isEmpty();
    return calls && !reason.equals("length") ? "tool_calls" : reason;
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
            .put("logprob", LegacyLogprobs.finite(logprob));
    var array = node.putArray("bytes");
    for (byte b : bytes) {
      array.add(b & 0xff);
    }
    return node;
  }
}
