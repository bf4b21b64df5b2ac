package io.gatun.models.toolcall;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;

/// A function that a model may call.
///
/// @param parameters the JSON schema of its arguments, an object's; empty for any
public record Tool(String name, JsonNode parameters) {
  public Tool {
    if (parameters == null || !parameters.isObject()) {
      parameters = JsonNodeFactory.instance.objectNode();
    }
  }

  /// Whether an argument is a text, so that what stands for it is never read as JSON.
  boolean isText(String argument) {
    return parameters.path("properties").path(argument).path("type").asText().equals("string");
  }
}
