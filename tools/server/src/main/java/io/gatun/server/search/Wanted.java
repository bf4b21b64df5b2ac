package io.gatun.server.search;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.server.http.Fields;
import java.util.Locale;

/// How a request wants documents searched.
///
/// @param mode null for the best there is
/// @param reranker its name; empty for the first that is served, null for none
record Wanted(Mode mode, int count, int candidates, String reranker) {
  private static final int MOST = 1000;

  static final Wanted DEFAULT = new Wanted(null, 5, 50, null);

  /// Reads `mode`, `top_n`, `candidates` and `rerank`.
  ///
  /// @param hasVectors whether the index has any
  static Wanted of(Fields f, boolean hasVectors) {
    return new Wanted(
        mode(f, hasVectors),
        f.count("top_n", DEFAULT.count, 1, MOST),
        f.count("candidates", DEFAULT.candidates, 1, MOST),
        reranker(f));
  }

  private static Mode mode(Fields f, boolean hasVectors) {
    String name = f.text("mode", null);
    Mode mode =
        switch (name) {
          case null -> null;
          case "hybrid" -> Mode.HYBRID;
          case "words" -> Mode.WORDS;
          case "vectors" -> Mode.VECTORS;
          default ->
              throw f.invalid("mode", "is \"%s\"; need hybrid, words or vectors".formatted(name));
        };
    if (mode != null && mode != Mode.WORDS && !hasVectors) {
      throw f.invalid(
          "mode",
          "is \"%s\", and the index has no vectors; need words, or an index made with an embedder (gatun index --model)"
              .formatted(mode.name().toLowerCase(Locale.ROOT)));
    }
    return mode;
  }

  private static String reranker(Fields f) {
    JsonNode value = f.get("rerank");
    if (value == null || value.isBoolean()) {
      return value == null || !value.booleanValue() ? null : "";
    }
    if (!value.isTextual()) {
      throw f.invalid(
          "rerank",
          "is %s; need true, false or the name of a reranker".formatted(Fields.brief(value)));
    }
    return value.textValue();
  }
}
