package io.gatun.models.sam.modeling;

import io.gatun.models.sam.config.SamConfig;
import java.util.Arrays;

/// A prompt's points and corners of boxes as the prompt encoder takes them.
///
/// @param xy in pixels of the model's input, x and y by turns; -1 of what is no point
/// @param labels of each: 0 for a point beside the object, 1 for one on it, [#TOP_LEFT],
///   [#BOTTOM_RIGHT] or [#NOT_A_POINT]
public record PromptPoints(float[] xy, int[] labels) {
  /// The label of a box's corner.
  public static final int TOP_LEFT = 2;

  /// The label of the opposite corner.
  public static final int BOTTOM_RIGHT = 3;

  /// The label of a token that says that there is no more.
  public static final int NOT_A_POINT = -1;

  /// How many EfficientSAM sees.
  private static final int OF_EFFICIENT_SAM = 6;

  /// Of a prompt. SAM has points first, then the box or, without one, a token that is no point; SAM
  /// 2 the box first and such a token behind the points in any case; EfficientSAM as many of them
  /// as make six of all.
  ///
  /// @param xy points in pixels of the model's input, x and y by turns
  /// @param labels of each: 1 on the object, 0 beside it
  /// @param box x0, y0, x1, y1 in such pixels, or null
  /// @throws IllegalArgumentException if the model does not know such points, or so many
  public static PromptPoints of(SamConfig.Kind kind, float[] xy, int[] labels, float[] box) {
    var points = new PromptPoints(xy, labels);
    var corners = box == null ? none(0) : new PromptPoints(box, new int[] {TOP_LEFT, BOTTOM_RIGHT});
    boolean any = labels.length > 0 || box != null;
    if (kind == SamConfig.Kind.SAM2) {
      return corners.and(points).and(none(any ? 1 : 0));
    }
    if (kind == SamConfig.Kind.EFFICIENT) {
      return points.and(corners).forEfficientSam();
    }
    return points.and(corners).and(none(any && box == null ? 1 : 0));
  }

  private PromptPoints forEfficientSam() {
    if (Arrays.stream(labels).anyMatch(label -> label == 0)) {
      throw new IllegalArgumentException(
          "EfficientSAM knows no points beside the object; give points on it, a box, or both");
    }
    if (size() > OF_EFFICIENT_SAM) {
      throw new IllegalArgumentException(
          "the prompt has %d points, of which a box makes two; EfficientSAM sees %d: give fewer"
              .formatted(size(), OF_EFFICIENT_SAM));
    }
    return and(none(OF_EFFICIENT_SAM - size()));
  }

  /// So many tokens that are no points.
  public static PromptPoints none(int count) {
    var xy = new float[2 * count];
    Arrays.fill(xy, -1); // where EfficientSAM has them; others have them nowhere
    var labels = new int[count];
    Arrays.fill(labels, NOT_A_POINT);
    return new PromptPoints(xy, labels);
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
