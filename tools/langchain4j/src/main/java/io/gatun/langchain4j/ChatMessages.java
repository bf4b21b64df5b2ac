package io.gatun.langchain4j;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.internal.JsonSchemaElementUtils;
import io.gatun.models.chat.ChatPrompt;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// LangChain4j's messages and tools as chat templates read them.
final class ChatMessages {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ChatMessages() {}

  static List<Map<String, Object>> of(List<ChatMessage> messages) {
    return messages.stream().map(ChatMessages::of).toList();
  }

  private static Map<String, Object> of(ChatMessage message) {
    var all = new LinkedHashMap<String, Object>();
    switch (message) {
      case SystemMessage system -> put(all, "system", system.text());
      case UserMessage user -> {
        put(all, "user", text(user.contents()));
        if (user.name() != null) {
          all.put("name", user.name());
        }
      }
      case AiMessage answer -> {
        put(all, "assistant", answer.text() == null ? "" : answer.text());
        if (answer.thinking() != null) {
          all.put("reasoning_content", answer.thinking());
        }
        if (answer.hasToolExecutionRequests()) {
          all.put(
              "tool_calls",
              answer.toolExecutionRequests().stream().map(ChatMessages::call).toList());
        }
      }
      case ToolExecutionResultMessage result -> {
        put(all, "tool", text(result.contents()));
        if (result.id() != null) {
          all.put("tool_call_id", result.id());
        }
        all.put("name", result.toolName());
      }
      default ->
          throw new UnsupportedFeatureException(
              "a message of type %s; the model reads messages of system, user, AI and tools"
                  .formatted(message.type()));
    }
    return all;
  }

  private static void put(Map<String, Object> message, String role, String content) {
    message.put("role", role);
    message.put("content", content);
  }

  static String text(List<Content> contents) {
    var text = new StringBuilder();
    for (var content : contents) {
      if (!(content instanceof TextContent part)) {
        throw new UnsupportedFeatureException(
            "content of type %s; the model reads only text".formatted(content.type()));
      }
      text.append(part.text());
    }
    return text.toString();
  }

  /// Templates want arguments as objects.
  private static Object call(ToolExecutionRequest request) {
    var call = JsonNodeFactory.instance.objectNode().put("type", "function");
    if (request.id() != null) {
      call.put("id", request.id());
    }
    var function = call.putObject("function").put("name", request.name());
    String arguments = request.arguments() == null ? "{}" : request.arguments();
    function.put("arguments", arguments);
    try {
      JsonNode read = JSON.readTree(arguments);
      if (read.isObject()) {
        function.set("arguments", read);
      }
    } catch (JsonProcessingException e) {
      // A model's own mistake, which it is shown as it made it.
    }
    return ChatPrompt.plain(call);
  }

  /// The functions by name, in OpenAI's form.
  static Map<String, JsonNode> tools(List<ToolSpecification> specifications) {
    var tools = new LinkedHashMap<String, JsonNode>();
    for (var specification : specifications) {
      var tool = JsonNodeFactory.instance.objectNode().put("type", "function");
      var function = tool.putObject("function").put("name", specification.name());
      if (specification.description() != null) {
        function.put("description", specification.description());
      }
      function.set(
          "parameters",
          specification.parameters() == null
              ? JsonNodeFactory.instance.objectNode().put("type", "object")
              : JSON.valueToTree(JsonSchemaElementUtils.toMap(specification.parameters())));
      if (tools.put(specification.name(), tool) != null) {
        throw new IllegalArgumentException(
            "there are two tools \"%s\"".formatted(specification.name()));
      }
    }
    return tools;
  }

  /// A schema as text.
  static String schema(Map<String, Object> schema) {
    return JSON.valueToTree(schema).toString();
  }
}
