package io.gatun.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.jdk.javaapi.CollectionConverters;

/// Conversations as rows have them, for chat templates.
final class Conversations {
  private Conversations() {}

  static boolean isOne(DataType type) {
    return type instanceof ArrayType array
        && array.elementType() instanceof StructType message
        && List.of(message.fieldNames()).containsAll(List.of("role", "content"));
  }

  /// @param value a text, or a sequence of messages
  /// @param system null for none
  static List<Map<String, Object>> of(Object value, String system) {
    var messages = new ArrayList<Map<String, Object>>();
    if (system != null) {
      messages.add(Map.of("role", "system", "content", system));
    }
    if (value instanceof String text) {
      messages.add(Map.of("role", "user", "content", text));
      return messages;
    }
    for (Object each : CollectionConverters.asJava((scala.collection.Iterable<?>) value)) {
      Row message = (Row) each;
      String role = message.getAs("role");
      String content = message.getAs("content");
      if (role == null || content == null) {
        throw new IllegalArgumentException("a message without a role or a content");
      }
      messages.add(Map.of("role", role, "content", content));
    }
    return messages;
  }
}
