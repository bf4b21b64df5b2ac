package io.gatun.server.text;

import com.fasterxml.jackson.databind.node.ArrayNode;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Fields;
import io.gatun.server.models.TextModel;
import java.util.List;
import java.util.Map;

/// Puts passages of documents before the last question of a conversation, where a request asks for
/// it.
public final class Grounding {
  /// Tokens that chat templates put around a message, by and large.
  private static final int TEMPLATE = 64;

  private final Library.Search search;
  private final int answer;
  private ArrayNode sources;

  private Grounding(Library.Search search, int answer) {
    this.search = search;
    this.answer = answer;
  }

  /// Reads a request's field `search`.
  ///
  /// @param library null if the server has no documents
  /// @param answer the most tokens of it
  /// @throws ApiException if documents are asked for that are not there
  public static Grounding of(Fields f, Library library, int answer) {
    if (library != null) {
      return new Grounding(library.search(f), answer);
    }
    var value = f.get("search");
    if (value != null && !(value.isBoolean() && !value.booleanValue())) {
      throw f.invalid(
          "search", "asks for documents, and this server has none; start it with --index DIR");
    }
    return new Grounding(null, answer);
  }

  /// Puts passages into the last message, if they are asked for.
  ///
  /// @throws ApiException if it is no question
  void ground(List<Map<String, Object>> messages, TextModel model) {
    if (search == null) {
      return;
    }
    var last = messages.getLast();
    String question = String.valueOf(last.get("content"));
    if (!"user".equals(last.get("role")) || question.isBlank()) {
      throw ApiException.invalid(
          "messages", "\"search\" looks for what the last message asks, which must be the user's");
    }
    int context = model.engine().contextLimit();
    int room = context - Math.min(answer, context / 4) - TEMPLATE;
    for (var before : messages.subList(0, messages.size() - 1)) {
      room -= tokens(String.valueOf(before.get("content")), model) + TEMPLATE / 4;
    }
    var found = search.ground(question, room, text -> tokens(text, model));
    last.put("content", found.prompt());
    sources = found.sources();
  }

  private static int tokens(String text, TextModel model) {
    return model.tokenizer().encode(text, false, false).length;
  }

  /// What the answer is from; null if nothing was searched.
  public ArrayNode sources() {
    return sources;
  }
}
