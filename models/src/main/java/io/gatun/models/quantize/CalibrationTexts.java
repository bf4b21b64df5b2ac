package io.gatun.models.quantize;

import io.gatun.models.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Pieces of texts by which a model is quantized.
public final class CalibrationTexts {
  private CalibrationTexts() {}

  /// Pieces of one length, evenly spread over the texts: the same ones every time.
  ///
  /// @param most of them
  /// @param length tokens of each; a text that is shorter is one piece
  /// @throws IllegalArgumentException if the texts are empty
  public static List<int[]> samples(Tokenizer tokenizer, List<String> texts, int most, int length) {
    var pieces = new ArrayList<int[]>();
    for (String text : texts) {
      int[] ids = tokenizer.encode(text, true, false);
      for (int from = 0; from < ids.length; from += length) {
        // The rest of a long text would be judged with too little before it.
        if (from == 0 || from + length <= ids.length) {
          pieces.add(Arrays.copyOfRange(ids, from, Math.min(ids.length, from + length)));
        }
      }
    }
    pieces.removeIf(piece -> piece.length < 2);
    if (pieces.isEmpty()) {
      throw new IllegalArgumentException("the calibration texts are empty");
    }
    int count = Math.min(most, pieces.size());
    var samples = new ArrayList<int[]>();
    for (int i = 0; i < count; i++) {
      samples.add(pieces.get((int) ((long) i * pieces.size() / count)));
    }
    return samples;
  }
}
