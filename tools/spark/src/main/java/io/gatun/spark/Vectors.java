package io.gatun.spark;

import io.gatun.models.TextEmbedder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Vectors of texts.
final class Vectors {
  private Vectors() {}

  static List<Outcome> of(TextEmbedder model, GatunOptions options, List<Object> texts) {
    var outcomes = new Outcome[texts.size()];
    var places = new ArrayList<Integer>();
    var tokens = new ArrayList<int[]>();
    String prompt = options.prompt == null ? model.defaultPrompt() : options.prompt;
    for (int i = 0; i < outcomes.length; i++) {
      if (texts.get(i) == null) {
        outcomes[i] = Outcome.failed("there is nothing: the value is null");
        continue;
      }
      try {
        tokens.add(model.encode(List.of((String) texts.get(i)), prompt).getFirst());
        places.add(i);
      } catch (IllegalArgumentException e) {
        outcomes[i] = Outcome.failed(e);
      }
    }
    if (!tokens.isEmpty()) {
      float[][] vectors = model.embedTokens(tokens);
      for (int i = 0; i < vectors.length; i++) {
        outcomes[places.get(i)] = new Outcome(boxed(vectors[i]), null, tokens.get(i).length, 0);
      }
    }
    return Arrays.asList(outcomes);
  }

  private static Float[] boxed(float[] vector) {
    var boxed = new Float[vector.length];
    Arrays.setAll(boxed, i -> vector[i]);
    return boxed;
  }
}
