package io.gatun.tests.search;

import io.gatun.search.Embedder;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/// Knows no meaning: a text's vector is the sum of a random vector for each of its words.
record WordEmbedder(String name, int dimension, int maxTokens, long seed) implements Embedder {
  static final WordEmbedder OF_64 = new WordEmbedder("words-64", 64, 500, 0);

  @Override
  public int tokens(String text) {
    return text.isBlank() ? 0 : text.strip().split("\\s+", -1).length;
  }

  @Override
  public List<float[]> documents(List<String> texts) {
    return texts.stream().map(this::query).toList();
  }

  @Override
  public float[] query(String text) {
    float[] sum = new float[dimension];
    for (String word : text.toLowerCase(Locale.ROOT).split("\\W+", -1)) {
      var random = new SplittableRandom(word.hashCode() + seed);
      for (int i = 0; i < dimension; i++) {
        sum[i] += (float) random.nextGaussian();
      }
    }
    return sum;
  }
}
