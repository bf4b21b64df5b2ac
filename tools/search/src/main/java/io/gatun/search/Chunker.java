package io.gatun.search;

import java.text.BreakIterator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToIntFunction;

/// Cuts a text into chunks of some number of tokens, each of which begins with the end of the one
/// before it.
///
/// A chunk ends with a paragraph or a sentence if one ends in its last third, else with a word.
/// Words are counted one by one, which is nearly what they have together; a chunk that turns out to
/// have too many tokens is cut shorter.
final class Chunker {
  /// Longer words are cut: what is written without spaces, such as data in base64.
  private static final int LONGEST_WORD = 64;

  /// Words whose tokens are remembered.
  private static final int REMEMBERED = 50_000;

  private static final byte WORD = 0;
  private static final byte SENTENCE = 1;
  private static final byte PARAGRAPH = 2;

  private final ToIntFunction<String> tokens;
  private final int size;
  private final int overlap;
  private final Map<String, Integer> counts = new HashMap<>();

  /// @param tokens counts the tokens of a text
  /// @param size the most tokens of a chunk
  /// @param overlap the most tokens that two neighbours share, fewer than `size`
  Chunker(ToIntFunction<String> tokens, int size, int overlap) {
    this.tokens = tokens;
    this.size = size;
    this.overlap = overlap;
  }

  /// Words with the space behind them.
  private static final class Words {
    private int[] starts = new int[1024];
    private int[] counts = new int[1024];
    private byte[] ends = new byte[1024];
    private int size;

    void add(int start, int count, byte end) {
      if (size == counts.length) {
        starts = Arrays.copyOf(starts, 2 * size);
        counts = Arrays.copyOf(counts, 2 * size);
        ends = Arrays.copyOf(ends, 2 * size);
      }
      starts[size] = start;
      counts[size] = count;
      ends[size++] = end;
    }

    int start(int word, String text) {
      return word < size ? starts[word] : text.length();
    }
  }

  /// The chunks of a text, which together have all of it but the space around them.
  List<Chunk> chunks(String text) {
    Words words = words(text);
    var chunks = new ArrayList<Chunk>();
    for (int first = 0; first < words.size; ) {
      int end = end(words, first);
      Chunk chunk = chunk(text, words, first, end);
      while (end - first > 1 && tokens.applyAsInt(chunk.of(text)) > size) {
        end = first + Math.max(1, (end - first) * 7 / 8);
        chunk = chunk(text, words, first, end);
      }
      if (chunk.end() > chunk.start()) {
        chunks.add(chunk);
      }
      if (end == words.size) {
        break;
      }
      first = next(words, first, end);
    }
    return chunks;
  }

  /// Behind the last word of a chunk that begins with `first`.
  private int end(Words words, int first) {
    int end = first;
    int sum = 0;
    int[] best = {-1, -1, -1};
    while (end < words.size && (end == first || sum + words.counts[end] <= size)) {
      sum += words.counts[end++];
      if (3 * sum >= 2 * size) {
        best[words.ends[end - 1]] = end;
      }
    }
    if (end == words.size) {
      return end;
    }
    return best[PARAGRAPH] > 0 ? best[PARAGRAPH] : best[SENTENCE] > 0 ? best[SENTENCE] : end;
  }

  /// The first word of the chunk behind one: some of that one's last words, from the beginning of a
  /// sentence if one begins there.
  private int next(Words words, int first, int end) {
    int next = end;
    int sentence = -1;
    for (int sum = 0; next - 1 > first && sum + words.counts[next - 1] <= overlap; ) {
      sum += words.counts[--next];
      if (words.ends[next - 1] > WORD) {
        sentence = next;
      }
    }
    return sentence > 0 ? sentence : next;
  }

  private static Chunk chunk(String text, Words words, int first, int end) {
    int from = words.start(first, text);
    int to = words.start(end, text);
    while (from < to && Character.isWhitespace(text.charAt(from))) {
      from++;
    }
    while (to > from && Character.isWhitespace(text.charAt(to - 1))) {
      to--;
    }
    return new Chunk(from, to);
  }

  private Words words(String text) {
    var words = new Words();
    var breaks = BreakIterator.getWordInstance(Locale.ROOT);
    breaks.setText(text);
    int start = 0;
    int end = 0;
    for (int at = breaks.next(); at != BreakIterator.DONE; at = breaks.next()) {
      // Marks and spaces belong to the word before them.
      if (at < text.length() && !Character.isLetterOrDigit(text.codePointAt(at))) {
        if (at - start < LONGEST_WORD || Character.isWhitespace(text.charAt(at))) {
          continue;
        }
      }
      end = at;
      while (end - start > 2 * LONGEST_WORD && !Character.isWhitespace(text.charAt(start))) {
        int cut = start + LONGEST_WORD;
        cut += Character.isLowSurrogate(text.charAt(cut)) ? 1 : 0;
        add(words, text, start, cut);
        start = cut;
      }
      add(words, text, start, end);
      start = end;
    }
    return words;
  }

  private void add(Words words, String text, int start, int end) {
    String word = text.substring(start, end);
    Integer known = counts.get(word);
    if (known == null) {
      known = word.isBlank() ? 0 : tokens.applyAsInt(word.strip());
      if (counts.size() < REMEMBERED) {
        counts.put(word, known);
      }
    }
    words.add(start, known, strength(word));
  }

  /// What ends with a word.
  private static byte strength(String word) {
    String told = word.stripTrailing();
    long lines = word.substring(told.length()).chars().filter(c -> c == '\n').count();
    if (lines > 1) {
      return PARAGRAPH;
    }
    if (told.isEmpty() || told.length() == word.length()) {
      return WORD;
    }
    int last = told.length() - 1;
    while (last > 0 && "\"')]\u201d\u2019".indexOf(told.charAt(last)) >= 0) {
      last--;
    }
    return ".!?\u3002\uff01\uff1f".indexOf(told.charAt(last)) >= 0 ? SENTENCE : WORD;
  }
}
