package io.gatun.models.sam.modeling;

import io.gatun.models.sam.config.SamConfig;
import java.util.Arrays;

/// A prompt's points and corners of boxes as the prompt encoder takes them.
///
/// @param xy in pixels of the model's input, x and y by turns
/// @param labels of each: 0 for a point beside the object, 1 for one on it, [#TOP_LEFT],
///   [#BOTTOM_RIGHT] or [#NOT_A_POINT]
public record PromptPoints(float[] xy, int[] labels) {
  /// The label of a box's corner.
  public static final int TOP_LEFT = 2;

  /// The label of the opposite corner.
  public static final int BOTTOM_RIGHT = 3;

  /// The label of a token that says that there is no more.
  public static final int NOT_A_POINT = -1;

  /// Of a prompt. SAM has points first, then the box or, without one, a token that is no point; SAM
  /// 2 the box first and such a token behind the points in any case.
  ///
  /// @param xy points in pixels of the model's input, x and y by turns
  /// @param labels of each: 1 on the object, 0 beside it
  /// @param box x0, y0, x1, y1 in such pixels, or null
  public static PromptPoints of(SamConfig.Kind kind, float[] xy, int[] labels, float[] box) {
    var points = new PromptPoints(xy, labels);
    var corners = box == null ? none(0) : new PromptPoints(box, new int[] {TOP_LEFT, BOTTOM_RIGHT});
    boolean any = labels.length > 0 || box != null;
    if (kind == SamConfig.Kind.SAM2) {
      return corners.and(points).and(none(any ? 1 : 0));
    }
    return points.and(corners).and(none(any && box == null ? 1 : 0));
  }

  /// So many tokens that are no points.
  public static PromptPoints none(int count) {
    var labels = new int[count];
    Arrays.fill(labels, NOT_A_POINT);
    return new PromptPoints(new float[2 * count], labels);
  }

  private PromptPoints and(PromptPoints other) {
    var allXy = Arrays.copyOf(xy, xy.length + other.xy.length);
    System.arraycopy(other.xy, 0, allXy, xy.length, other.xy.length);
    var allLabels = Arrays.copyOf(labels, labels.length + other.labels.length);
    System.arraycopy(other.labels, 0, allLabels, labels.length, other.labels.length);
    return new PromptPoints(allXy, allLabels);
  }

  int size() {
    return labels.length;
  }
}
