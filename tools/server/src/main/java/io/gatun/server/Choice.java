package io.gatun.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Result;
import java.util.List;

/// One answer as it comes: what is said, thought and called in it.
final class Choice {
  final StringBuilder content = new StringBuilder();
  final StringBuilder thoughts = new StringBuilder();
  final ArrayNode logprobs = Call.JSON.createArrayNode();
  List<ToolCallParser.ToolCall> calls = List.of();
  Result result;

  private final ToolCallParser parser;

  /// @param parser null where there can be no calls
  Choice(ToolCallParser parser) {
    this.parser = parser;
  }

  /// What a piece adds to the content.
  String take(Piece piece) {
    String text = parser == null ? piece.text() : parser.push(piece);
    content.append(text);
    thoughts.append(piece.thought());
    return text;
  }

  /// What the end adds to the content.
  String finish(Result whole) {
    result = whole;
    if (parser == null) {
      return "";
    }
    String text = parser.finish();
    calls = parser.calls();
    content.append(text);
    return text;
  }
}
