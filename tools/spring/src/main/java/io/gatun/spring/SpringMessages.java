package io.gatun.spring;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.gatun.models.chat.ChatPrompt;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.SystemMessage;
import org.springframework.ai.chat.messages.ToolResponseMessage;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.content.MediaContent;
import org.springframework.ai.tool.ToolCallback;

/// Spring AI's messages and tools as chat templates read them.
final class SpringMessages {
  /// The property of an assistant's message that has what it thought before.
  static final String THINKING = "thinking";

  private static final ObjectMapper JSON = new ObjectMapper();

  private SpringMessages() {}

  static List<Map<String, Object>> of(List<Message> messages) {
    var all = new ArrayList<Map<String, Object>>();
    for (var message : messages) {
      if (message instanceof MediaContent media && !media.getMedia().isEmpty()) {
        throw new IllegalArgumentException(
            "a message with media of type %s; the model reads only text"
                .formatted(media.getMedia().getFirst().getMimeType()));
      }
      switch (message) {
        case SystemMessage m -> all.add(message("system", m.getText()));
        case UserMessage m -> all.add(message("user", m.getText()));
        case AssistantMessage m -> all.add(assistant(m));
        case ToolResponseMessage m -> {
          for (var response : m.getResponses()) {
            var one = message("tool", response.responseData());
            one.put("tool_call_id", response.id());
            one.put("name", response.name());
            all.add(one);
          }
        }
        default ->
            throw new IllegalArgumentException(
                "a message of type %s; the model reads messages of system, user, assistant and tools"
                    .formatted(message.getMessageType()));
      }
    }
    return all;
  }

  private static Map<String, Object> message(String role, String content) {
    var message = new LinkedHashMap<String, Object>();
    message.put("role", role);
    message.put("content", content == null ? "" : content);
    return message;
  }

  private static Map<String, Object> assistant(AssistantMessage m) {
    var message = message("assistant", m.getText());
    if (m.getMetadata().get(THINKING) instanceof String thoughts) {
      message.put("reasoning_content", thoughts);
    }
    if (m.hasToolCalls()) {
      message.put("tool_calls", m.getToolCalls().stream().map(SpringMessages::call).toList());
    }
    return message;
  }

  private static Object call(AssistantMessage.ToolCall made) {
    var call = JsonNodeFactory.instance.objectNode().put("id", made.id()).put("type", "function");
    var function = call.putObject("function").put("name", made.name());
    function.put("arguments", made.arguments());
    try {
      JsonNode read = JSON.readTree(made.arguments());
      if (read.isObject()) {
        function.set("arguments", read); // templates want them so
      }
    } catch (JsonProcessingException e) {
      // A model's own mistake, which it is shown as it made it.
    }
    return ChatPrompt.plain(call);
  }

  /// The functions by name, in OpenAI's form.
  static Map<String, JsonNode> tools(List<ToolCallback> callbacks) {
    var tools = new LinkedHashMap<String, JsonNode>();
    for (var callback : callbacks) {
      var definition = callback.getToolDefinition();
      var tool = JsonNodeFactory.instance.objectNode().put("type", "function");
      tool.putObject("function")
          .put("name", definition.name())
          .put("description", definition.description())
          .set("parameters", schema(definition.name(), definition.inputSchema()));
      if (tools.put(definition.name(), tool) != null) {
        throw new IllegalArgumentException("there are two tools \"" + definition.name() + "\"");
      }
    }
    return tools;
  }

  private static JsonNode schema(String name, String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "the input schema of the tool \"%s\" is no JSON: %s"
              .formatted(name, e.getOriginalMessage()),
          e);
    }
  }
}
