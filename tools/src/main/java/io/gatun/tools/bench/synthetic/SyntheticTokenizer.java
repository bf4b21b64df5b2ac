package io.gatun.tools.bench.synthetic;

import io.gatun.tools.console.Json;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/// Vocabularies without a model: byte-level BPE, with the one merge that other programs insist on.
public final class SyntheticTokenizer {
  private static final List<String> SYLLABLES =
      List.of(
          "a", "al", "an", "ar", "be", "co", "de", "di", "e", "en", "er", "ex", "fo", "ge", "ha",
          "i", "in", "is", "it", "la", "le", "lo", "ma", "me", "mi", "ne", "no", "o", "on", "or",
          "pa", "pe", "po", "pre", "pro", "ra", "re", "ri", "ro", "sa", "se", "si", "so", "sta",
          "st", "ta", "te", "ter", "ti", "tion", "to", "tra", "u", "un", "ur", "ve", "vi", "wa",
          "we");
  private static final String MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

  private SyntheticTokenizer() {}

  /// For models with random weights, a `tokenizer.json` of `size` tokens, at least 257: the 256
  /// bytes, "th", and numbers as words.
  static String json(int size) {
    var pieces = bytes();
    for (int id = 257; id < size; id++) {
      pieces.put(spelled((" " + id).getBytes(StandardCharsets.US_ASCII)), id);
    }
    return json(pieces);
  }

  /// A `tokenizer.json` with as many tokens, of the kinds that those of large models have: words,
  /// with a space before them and without, numbers, marks, blanks, characters of several bytes, and
  /// parts of such.
  public static String manifold(int size) {
    var random = new Random(1);
    var pieces = bytes();
    for (int number = 0; number < 1000; number++) {
      put(pieces, Integer.toString(number).getBytes(StandardCharsets.US_ASCII));
    }
    while (pieces.size() < size) {
      var text = new StringBuilder();
      int kind = random.nextInt(100);
      int length = 1 + random.nextInt(4);
      if (kind < 55) {
        text.append(' ');
      }
      for (int i = 0; i < length; i++) {
        if (kind < 80) {
          text.append(SYLLABLES.get(random.nextInt(SYLLABLES.size())));
        } else if (kind < 88) {
          text.append(MARKS.charAt(random.nextInt(MARKS.length())));
        } else if (kind < 90) {
          text.repeat(" \n\t".charAt(random.nextInt(3)), 1 + random.nextInt(8));
        } else {
          text.appendCodePoint(
              random.nextBoolean() ? 0x430 + random.nextInt(32) : 0x4E00 + random.nextInt(5000));
        }
      }
      byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
      put(pieces, kind < 97 ? bytes : Arrays.copyOf(bytes, Math.max(2, bytes.length - 1)));
    }
    return json(pieces);
  }

  private static void put(Map<String, Integer> pieces, byte[] bytes) {
    pieces.putIfAbsent(spelled(bytes), pieces.size());
  }

  private static Map<String, Integer> bytes() {
    var pieces = new LinkedHashMap<String, Integer>();
    for (int b = 0; b < 256; b++) {
      put(pieces, new byte[] {(byte) b});
    }
    put(pieces, new byte[] {'t', 'h'});
    return pieces;
  }

  /// Bytes in GPT-2's alphabet: one that prints stands for itself, any other for a letter beyond.
  private static String spelled(byte[] bytes) {
    var text = new StringBuilder();
    for (byte signed : bytes) {
      int b = signed & 0xFF;
      text.append((char) (prints(b) ? b : 256 + rank(b)));
    }
    return text.toString();
  }

  private static boolean prints(int b) {
    return b > ' ' && b < 127 || b > 0xA0 && b != 0xAD;
  }

  /// How many bytes below this one do not print.
  private static int rank(int b) {
    return b <= ' ' ? b : b <= 0xA0 ? b - 127 + 33 : 67;
  }

  private static String json(Map<String, Integer> pieces) {
    var byteLevel = Map.of("type", "ByteLevel", "add_prefix_space", false, "use_regex", true);
    var model = new LinkedHashMap<String, Object>();
    model.put("type", "BPE");
    model.put("vocab", pieces);
    model.put("merges", List.of("t h"));
    var tokenizer = new LinkedHashMap<String, Object>();
    tokenizer.put("version", "1.0");
    tokenizer.put("added_tokens", List.of());
    tokenizer.put("pre_tokenizer", byteLevel);
    tokenizer.put("decoder", byteLevel);
    tokenizer.put("model", model);
    return Json.of(tokenizer);
  }
}
