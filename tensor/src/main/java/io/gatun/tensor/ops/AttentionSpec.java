package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;

/// How a layer attends.
///
/// @param scale what the products of queries and keys are multiplied by
/// @param window how many positions a row sees, its own included; 0 for all
/// @param softcap what scores stay below, as `softcap * tanh(score / softcap)` (Gemma 2); 0 for no
///   such limit
/// @param sinks (H) F32, a score for each head that takes its share of the softmax and has no value
///   (Xiao et al. 2024, "attention sinks"); null for none
/// @param bidirectional whether a row also sees what comes after it in the same step, as far as
///   what is before it
/// @param positions what is added to the scores of a grid's cells, which see each other all; null
///   for nothing
public record AttentionSpec(
    float scale,
    int window,
    float softcap,
    Tensor sinks,
    boolean bidirectional,
    RelativePositions positions) {
  /// What comes before, with scores divided by the root of the head's size.
  public static AttentionSpec of(int headSize) {
    return new AttentionSpec((float) (1 / Math.sqrt(headSize)), 0);
  }

  /// Everything, before and after.
  public static AttentionSpec full(float scale) {
    return new AttentionSpec(scale, 0).inBothDirections();
  }

  /// With a scale and a window, and nothing else.
  public AttentionSpec(float scale, int window) {
    this(scale, window, 0, null, false, null);
  }

  /// The same with another scale.
  public AttentionSpec scale(float newScale) {
    return new AttentionSpec(newScale, window, softcap, sinks, bidirectional, positions);
  }

  /// The same with a window.
  public AttentionSpec window(int size) {
    return new AttentionSpec(scale, size, softcap, sinks, bidirectional, positions);
  }

  /// The same with a limit of the scores.
  public AttentionSpec softcap(float limit) {
    return new AttentionSpec(scale, window, limit, sinks, bidirectional, positions);
  }

  /// The same with sinks.
  public AttentionSpec sinks(Tensor scores) {
    return new AttentionSpec(scale, window, softcap, scores, bidirectional, positions);
  }

  /// The same in both directions.
  public AttentionSpec inBothDirections() {
    return new AttentionSpec(scale, window, softcap, sinks, true, positions);
  }

  /// Everything, on a grid.
  public AttentionSpec on(RelativePositions grid) {
    return new AttentionSpec(scale, window, softcap, sinks, true, grid);
  }

  /// How many positions before its own a row sees at the most.
  public int before() {
    return window > 0 ? window - 1 : Integer.MAX_VALUE;
  }

  /// How many positions after its own a row sees at the most.
  public int after() {
    return bidirectional ? before() : 0;
  }

  /// @throws IllegalArgumentException if a number is negative, or none, or cells of a grid do not
  ///   see each other all
  public AttentionSpec {
    Check.finite("scale", scale);
    if (window < 0) {
      throw new IllegalArgumentException("window is %d; need 0 (all) or more".formatted(window));
    }
    if (!(softcap >= 0)) {
      throw new IllegalArgumentException("softcap is %s; need 0 (none) or more".formatted(softcap));
    }
    if (positions != null && (window > 0 || !bidirectional || softcap > 0)) {
      throw new IllegalArgumentException(
          "relative positions go with neither a window, nor a softcap, nor causal attention");
    }
  }
}
