package io.gatun.models.clipseg;

import java.util.ArrayDeque;

/// How likely each pixel of a square, into which an image was squeezed, is what a text says.
///
/// @param side of the square
/// @param logits row by row
public record HeatMap(int side, float[] logits) {
  /// Where an object is: its box, x0, y0, x1, y1, and the likeliest point in it, in pixels of an
  /// image.
  ///
  /// @param probability of that point, 0 to 1
  public record Place(float x, float y, float[] box, float probability) {}

  /// The probability of a pixel, 0 to 1.
  public float probability(int x, int y) {
    return (float) (1 / (1 + Math.exp(-logits[y * side + x])));
  }

  /// The place of the likeliest object: the pixels around the likeliest one that are at least half
  /// as likely.
  ///
  /// @param width of the image
  /// @param height likewise
  public Place likeliest(int width, int height) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    float top = probability(best % side, best / side);
    int[] box = around(best, top / 2);
    float scaleX = (float) width / side;
    float scaleY = (float) height / side;
    return new Place(
        Math.min(width - 1, (best % side + 0.5f) * scaleX),
        Math.min(height - 1, (best / side + 0.5f) * scaleY),
        new float[] {
          box[0] * scaleX, box[1] * scaleY, (box[2] + 1) * scaleX, (box[3] + 1) * scaleY
        },
        top);
  }

  /// The box of the pixels at least so likely that hang together with one.
  private int[] around(int start, float least) {
    var seen = new boolean[logits.length];
    var next = new ArrayDeque<Integer>();
    int[] box = {side, side, -1, -1};
    next.add(start);
    seen[start] = true;
    while (!next.isEmpty()) {
      int i = next.remove();
      int x = i % side;
      int y = i / side;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
      int[][] neighbours = {{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}};
      for (int[] n : neighbours) {
        if (n[0] >= 0 && n[1] >= 0 && n[0] < side && n[1] < side) {
          int j = n[1] * side + n[0];
          if (!seen[j] && probability(n[0], n[1]) >= least) {
            seen[j] = true;
            next.add(j);
          }
        }
      }
    }
    return box;
  }
}
