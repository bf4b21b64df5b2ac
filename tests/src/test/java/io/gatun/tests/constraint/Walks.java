package io.gatun.tests.constraint;

import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.Matcher;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;

/// Texts of a constraint without a model: random ones, and whether a given one is among them.
final class Walks {
  private Walks() {}

  /// Byte-level, 1024 tokens.
  static Tokenizer tokenizer() {
    return Tokenizers.load(TestData.pretrained("tiny-llm/tokenizer.json"), Map.of());
  }

  /// Whether a text follows the constraint, when it is cut into tokens at random.
  static boolean accepts(Constraint constraint, Tokenizer tokenizer, String text, Random random) {
    Matcher matcher = constraint.start(tokenizer);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    for (int at = 0; at < bytes.length; ) {
      int id = prefix(tokenizer, bytes, at, random);
      boolean inMask = BitSet.valueOf(matcher.allowed()).get(id);
      if (matcher.allows(id) != inMask) {
        throw new AssertionError("mask and allows differ at " + at + " of " + text);
      }
      if (!inMask) {
        return false;
      }
      matcher.accept(id);
      at += tokenizer.bytes(id).length;
      if (matcher.finished()) {
        return at == bytes.length;
      }
    }
    return matcher.mayEnd();
  }

  /// A token, drawn at random, that the bytes go on with.
  private static int prefix(Tokenizer tokenizer, byte[] bytes, int at, Random random) {
    var fitting = new ArrayList<Integer>();
    for (int id = 0; id < tokenizer.size(); id++) {
      if (tokenizer.has(id) && !tokenizer.isSpecial(id)) {
        byte[] token = tokenizer.bytes(id);
        int end = Math.min(bytes.length, at + token.length);
        if (Arrays.equals(bytes, at, end, token, 0, token.length)) {
          fitting.add(id);
        }
      }
    }
    return fitting.get(random.nextInt(fitting.size()));
  }

  /// A text of `most` tokens at most, each drawn from the mask with equal probability.
  static String random(Constraint constraint, Tokenizer tokenizer, int most, Random random) {
    Matcher matcher = constraint.start(tokenizer);
    var ids = new ArrayList<Integer>();
    while (!matcher.finished()) {
      int rest = most - ids.size();
      if (rest == 0) {
        if (matcher.mayEnd()) {
          break;
        }
        throw new AssertionError("not at its end: " + text(tokenizer, ids));
      }
      int[] allowed = BitSet.valueOf(matcher.allowed(rest)).stream().toArray();
      int id = allowed[random.nextInt(allowed.length)];
      matcher.accept(id);
      if (!tokenizer.isEnd(id)) {
        ids.add(id);
      }
    }
    return text(tokenizer, ids);
  }

  private static String text(Tokenizer tokenizer, List<Integer> ids) {
    return tokenizer.decode(ids.stream().mapToInt(i -> i).toArray());
  }
}
