package io.gatun.models.clip;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/// Words that a text encoder was taught, with ids of their own behind its vocabulary.
final class TaughtWords {
  /// No words.
  static final TaughtWords NONE = new TaughtWords(Map.of(), Integer.MAX_VALUE);

  private final Map<String, int[]> ids;
  private final int first;
  private final Pattern words;

  private TaughtWords(Map<String, int[]> ids, int first) {
    this.ids = ids;
    this.first = first;
    // The longest first, where one is the beginning of another, and none within a word.
    var alternatives =
        ids.keySet().stream()
            .sorted(Comparator.comparing(String::length).reversed())
            .map(Pattern::quote)
            .toList();
    words =
        Pattern.compile(
            "(?<![\\p{L}\\p{N}_-])(" + String.join("|", alternatives) + ")(?![\\p{L}\\p{N}_-])");
  }

  /// @param first the id of the first vector
  /// @param second whether they are for SDXL's second text encoder
  static TaughtWords of(List<TextualInversion> taught, int first, boolean second) {
    var ids = new LinkedHashMap<String, int[]>();
    int next = first;
    for (var word : taught) {
      var own = new int[(second ? word.vectors2() : word.vectors()).size()];
      for (int i = 0; i < own.length; i++) {
        own[i] = next++;
      }
      ids.put(word.token(), own);
    }
    return new TaughtWords(ids, first);
  }

  /// The id of the first vector; greater than all ids if there are none.
  int first() {
    return first;
  }

  /// A text's ids: those of the words, and for what lies between them what `tokens` says.
  int[] encode(String text, Function<String, int[]> tokens) {
    if (ids.isEmpty()) {
      return tokens.apply(text);
    }
    var out = new ArrayList<int[]>();
    int from = 0;
    for (MatchResult word : words.matcher(text).results().toList()) {
      out.add(tokens.apply(text.substring(from, word.start())));
      out.add(ids.get(word.group(1)));
      from = word.end();
    }
    out.add(tokens.apply(text.substring(from)));
    return out.stream().flatMapToInt(Arrays::stream).toArray();
  }
}
