package io.gatun.models.toolcall;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/// A function that a model may call.
///
/// @param parameters the JSON schema of its arguments, an object's; empty for any
public record Tool(String name, JsonNode parameters) {
  public Tool {
    if (parameters == null || !parameters.isObject()) {
      parameters = JsonNodeFactory.instance.objectNode();
    }
  }

  /// The schema as a part of another one, where what it refers to has another place.
  ///
  /// @param pointer to that part: `/properties/arguments`
  public ObjectNode parametersAt(String pointer) {
    ObjectNode copy = parameters.deepCopy();
    move(copy, pointer);
    return copy;
  }

  private static void move(JsonNode schema, String pointer) {
    String reference = schema.path("$ref").asText();
    if (reference.startsWith("#") && schema instanceof ObjectNode object) {
      object.put("$ref", "#" + pointer + reference.substring(1));
    }
    schema.forEach(part -> move(part, pointer));
  }

  /// Whether an argument is a text, so that what stands for it is never read as JSON.
  boolean isText(String argument) {
    return parameters.path("properties").path(argument).path("type").asText().equals("string");
  }
}
