package io.gatun.tools;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A vocabulary for models with random weights: the 256 bytes, "th", and numbers as words.
final class SyntheticTokenizer {
  private SyntheticTokenizer() {}

  /// A `tokenizer.json` of `size` tokens, at least 257: byte-level BPE with the one merge that
  /// other programs insist on.
  static String json(int size) {
    var pieces = new LinkedHashMap<String, Integer>();
    int free = 256;
    for (int b = 0; b < 256; b++) {
      // GPT-2's alphabet: a byte that prints stands for itself, any other for a letter beyond.
      boolean prints = b > ' ' && b < 127 || b > 0xA0 && b != 0xAD;
      pieces.put(Character.toString(prints ? b : free++), b);
    }
    pieces.put("th", 256);
    for (int id = 257; id < size; id++) {
      pieces.put("\u0120" + id, id); // the letter for a space
    }
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
