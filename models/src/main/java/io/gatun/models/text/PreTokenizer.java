package io.gatun.models.text;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Cuts a text into words, across whose borders no token reaches.
interface PreTokenizer {
  /// GPT-2's words: contractions, letters, digits, other marks, each with a space before it.
  String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  /// Hands the words of `text` to `out`; `first` tells whether `text` begins the whole text.
  void split(String text, boolean first, Consumer<String> out);

  /// This one, then `next` on each of its words.
  default PreTokenizer then(PreTokenizer next) {
    return (text, first, out) -> {
      boolean[] atStart = {first};
      split(
          text,
          first,
          word -> {
            next.split(word, atStart[0], out);
            atStart[0] = false;
          });
    };
  }

  /// The text as one word.
  static PreTokenizer none() {
    return (text, first, out) -> out.accept(text);
  }

  /// What becomes of a pattern's matches, as in Hugging Face's `SplitDelimiterBehavior`.
  enum Behavior {
    REMOVED,
    ISOLATED,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT,
    CONTIGUOUS
  }

  /// Words are the pattern's matches and what lies between them.
  static PreTokenizer isolate(FilePattern pattern) {
    return split(pattern, Behavior.ISOLATED, false);
  }

  /// Cuts at the pattern's matches, or with `invert` at what lies between them.
  static PreTokenizer split(FilePattern pattern, Behavior behavior, boolean invert) {
    return (text, first, out) -> {
      var cut = new Cut(text, behavior, out);
      FilePattern.Search search = pattern.search(text);
      int done = 0;
      while (search.find()) {
        cut.segment(done, search.start(), invert);
        cut.segment(search.start(), search.end(), !invert);
        done = search.end();
      }
      cut.segment(done, text.length(), invert);
      cut.finish();
    };
  }

  /// Each text's bytes in GPT-2's alphabet.
  static PreTokenizer bytes() {
    return (text, first, out) -> out.accept(ByteAlphabet.encode(text));
  }

  /// A space before each text that does not begin with one.
  static PreTokenizer prefixSpace() {
    return (text, first, out) -> out.accept(text.startsWith(" ") ? text : " " + text);
  }

  /// A visible space before the whole text.
  static PreTokenizer firstSpace() {
    return (text, first, out) -> out.accept(first ? Vocabulary.SPACE + text : text);
  }

  /// When [#metaspace] puts a visible space before a text.
  enum Prepend {
    ALWAYS,
    FIRST,
    NEVER
  }

  /// Spaces become visible; with `split` each word begins at one.
  static PreTokenizer metaspace(char replacement, Prepend prepend, boolean split) {
    return (text, first, out) -> {
      String visible = text.replace(' ', replacement);
      if ((prepend == Prepend.ALWAYS || (prepend == Prepend.FIRST && first))
          && visible.charAt(0) != replacement) {
        visible = replacement + visible;
      }
      int start = 0;
      for (int i = 1; split && i < visible.length(); i++) {
        if (visible.charAt(i) == replacement) {
          out.accept(visible.substring(start, i));
          start = i;
        }
      }
      out.accept(visible.substring(start));
    };
  }

  /// Cuts before each run of visible spaces.
  ///
  /// Where [Vocabulary#spacesOnlyLead] this changes no token; it keeps words short and repeated.
  static PreTokenizer beforeSpaces() {
    return (text, first, out) -> {
      int start = 0;
      for (int i = 1; i < text.length(); i++) {
        if (text.charAt(i) == Vocabulary.SPACE && text.charAt(i - 1) != Vocabulary.SPACE) {
          out.accept(text.substring(start, i));
          start = i;
        }
      }
      out.accept(text.substring(start));
    };
  }

  /// Puts matches and gaps together as the behavior wants.
  final class Cut {
    private final String text;
    private final Behavior behavior;
    private final Consumer<String> out;
    private final List<int[]> words = new ArrayList<>();
    private boolean lastMatched;

    private Cut(String text, Behavior behavior, Consumer<String> out) {
      this.text = text;
      this.behavior = behavior;
      this.out = out;
    }

    private void segment(int start, int end, boolean match) {
      if (start == end) {
        return;
      }
      switch (behavior) {
        case ISOLATED -> out.accept(text.substring(start, end));
        case REMOVED -> {
          if (!match) {
            out.accept(text.substring(start, end));
          }
        }
        case MERGED_WITH_PREVIOUS -> add(start, end, match && !lastMatched);
        case MERGED_WITH_NEXT -> add(start, end, !match && lastMatched);
        case CONTIGUOUS -> add(start, end, match == lastMatched);
      }
      lastMatched = match;
    }

    private void add(int start, int end, boolean join) {
      if (join && !words.isEmpty()) {
        words.getLast()[1] = end;
      } else {
        words.add(new int[] {start, end});
      }
    }

    private void finish() {
      for (int[] word : words) {
        out.accept(text.substring(word[0], word[1]));
      }
    }
  }
}
