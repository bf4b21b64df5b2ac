package io.gatun.models.nn;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Path;

/// Reads JSON as Jackson's `readTree` does, without an `ObjectMapper`: making the first takes as
/// long as reading a small model's files, as it prepares for dates, too. That is for files that are
/// read before a first answer.
///
/// Every method throws [com.fasterxml.jackson.core.JsonProcessingException] where it is no JSON.
public final class JsonTree {
  /// Names are there once: a table of names would only cost time.
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private JsonTree() {}

  /// An object without keys.
  public static ObjectNode object() {
    return NODES.objectNode();
  }

  /// The first value of a file; a missing node where there is none. Numbers may be NaN or infinite:
  /// diffusers writes -Infinity.
  ///
  /// @throws IOException if it cannot be read
  public static JsonNode read(Path file) throws IOException {
    try (var parser = FACTORY.createParser(file.toFile())) {
      parser.enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS.mappedFeature());
      return parser.nextToken() == null ? NODES.missingNode() : value(parser);
    }
  }

  /// Reads token by token.
  ///
  /// @throws IOException if it cannot be read
  public static JsonParser parser(Reader in) throws IOException {
    return FACTORY.createParser(in);
  }

  /// The value that a parser is at the beginning of; it is then at its last token.
  ///
  /// @throws IOException if it cannot be read
  public static JsonNode value(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> object(parser);
      case START_ARRAY -> array(parser);
      case VALUE_NUMBER_INT -> integer(parser);
      case VALUE_NUMBER_FLOAT -> NODES.numberNode(parser.getDoubleValue());
      case VALUE_TRUE, VALUE_FALSE -> NODES.booleanNode(parser.getBooleanValue());
      case VALUE_NULL -> NODES.nullNode();
      default -> NODES.textNode(parser.getText());
    };
  }

  private static ObjectNode object(JsonParser parser) throws IOException {
    var object = NODES.objectNode();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      parser.nextToken();
      object.set(name, value(parser));
    }
    return object;
  }

  private static ArrayNode array(JsonParser parser) throws IOException {
    var array = NODES.arrayNode();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      array.add(value(parser));
    }
    return array;
  }

  private static JsonNode integer(JsonParser parser) throws IOException {
    return switch (parser.getNumberType()) {
      case INT -> NODES.numberNode(parser.getIntValue());
      case LONG -> NODES.numberNode(parser.getLongValue());
      default -> NODES.numberNode(parser.getBigIntegerValue());
    };
  }
}
