package io.gatun.models.clip;

import java.util.ArrayList;
import java.util.List;

/// A prompt as a text encoder reads it: chunks of equally many tokens, each with its beginning, end
/// and padding.
///
/// @param ids the tokens of each chunk
/// @param weights how much each token's hidden state counts; 1 for all of a plain prompt
/// @param dropped the text that was too long; empty if none was
@SuppressWarnings("ArrayRecordComponent") // never compared
public record ClipPrompt(int[][] ids, float[][] weights, String dropped) {
  /// How many chunks there are.
  public int chunks() {
    return ids.length;
  }

  /// Whether a token has another weight than 1.
  public boolean isWeighted() {
    for (float[] chunk : weights) {
      for (float weight : chunk) {
        if (weight != 1) {
          return true;
        }
      }
    }
    return false;
  }

  /// The same with chunks of `empty` after it, so that there are `chunks`.
  public ClipPrompt padded(int chunks, ClipPrompt empty) {
    List<int[]> allIds = new ArrayList<>(List.of(ids));
    List<float[]> allWeights = new ArrayList<>(List.of(weights));
    while (allIds.size() < chunks) {
      allIds.add(empty.ids[0]);
      allWeights.add(empty.weights[0]);
    }
    return new ClipPrompt(
        allIds.toArray(int[][]::new), allWeights.toArray(float[][]::new), dropped);
  }

  /// Multiplies hidden states (chunks x tokens, D) with the tokens' weights, and brings each chunk
  /// back to the mean that it had, as AUTOMATIC1111's web UI does.
  public void applyWeights(float[] states) {
    if (!isWeighted()) {
      return;
    }
    int size = states.length / ids.length;
    int d = size / ids[0].length;
    for (int chunk = 0; chunk < ids.length; chunk++) {
      int from = chunk * size;
      double before = sum(states, from, from + size);
      for (int i = 0; i < size; i++) {
        states[from + i] *= weights[chunk][i / d];
      }
      double factor = before / sum(states, from, from + size);
      for (int i = from; i < from + size; i++) {
        states[i] = (float) (states[i] * factor);
      }
    }
  }

  private static double sum(float[] values, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += values[i];
    }
    return sum;
  }
}
