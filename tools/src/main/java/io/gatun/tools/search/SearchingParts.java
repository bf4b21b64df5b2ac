package io.gatun.tools.search;

import io.gatun.search.Embedder;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/// Vectors that nobody has taught: they count words and their parts of three letters, by hashing.
public record SearchingParts(int dimension) implements Embedder {
  private static final int PART = 3;

  @Override
  public String name() {
    return "parts-of-words";
  }

  @Override
  public int maxTokens() {
    return Integer.MAX_VALUE;
  }

  @Override
  public int tokens(String text) {
    return text.isEmpty() ? 0 : 1 + text.length() / 6;
  }

  @Override
  public List<float[]> documents(List<String> texts) {
    return texts.stream().map(this::query).toList();
  }

  @Override
  public float[] query(String text) {
    float[] vector = new float[dimension];
    for (String word : text.toLowerCase(Locale.ROOT).split("\\W+", -1)) {
      count(vector, word);
      for (int i = 0; i + PART <= word.length(); i++) {
        count(vector, word.substring(i, i + PART));
      }
    }
    return vector;
  }

  private static void count(float[] vector, String part) {
    var random = new SplittableRandom(part.hashCode());
    for (int i = 0; i < 8; i++) {
      vector[random.nextInt(vector.length)] += random.nextBoolean() ? 1 : -1;
    }
  }
}
