package io.gatun.models.decoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/// The angles of rotary position embedding (Su et al. 2021): pair i of a head turns by its
/// frequency times the position.
public final class RotaryEmbedding {
  private final RopeConfig config;
  private final int dim;
  private final boolean interleaved;
  private final float[] divisors;
  private final IntToDoubleFunction queryScale;

  /// The tables for some positions: cos and sin (T, C), the sine of each pair's first element
  /// negated, as [Ops#rope] wants them.
  public record Table(Tensor cos, Tensor sin, Tensor queryCos, Tensor querySin) {}

  private RotaryEmbedding(
      RopeConfig config,
      int dim,
      boolean interleaved,
      float[] divisors,
      IntToDoubleFunction queryScale) {
    this.config = config;
    this.dim = dim;
    this.interleaved = interleaved;
    this.divisors = divisors;
    this.queryScale = queryScale;
  }

  /// @param dim numbers of a head that are rotated, its first ones
  /// @param interleaved whether neighbouring elements form a pair, and not the halves
  ///
  /// @throws CheckpointException if that is no even number, or not the one that the scaling is for
  public RotaryEmbedding(RopeConfig config, int dim, boolean interleaved) {
    this(config, dim, interleaved, null, null);
    if (dim < 2 || dim % 2 != 0) {
      throw new CheckpointException(
          "%d numbers of a head are to be rotated; need an even number, 2 at least".formatted(dim));
    }
    if (config.scaling() instanceof RopeScaling.LongRope l
        && (l.shortFactor().length != dim / 2 || l.longFactor().length != dim / 2)) {
      throw new CheckpointException(
          "short_factor has %d values, long_factor %d; need %d of each, one for each pair that is rotated"
              .formatted(l.shortFactor().length, l.longFactor().length, dim / 2));
    }
  }

  /// The same with frequencies divided by these (GGUF's rope_freqs.weight); null for none.
  public RotaryEmbedding divided(float[] newDivisors) {
    return new RotaryEmbedding(config, dim, interleaved, newDivisors, queryScale);
  }

  /// The same for queries that are multiplied by a function of their position.
  public RotaryEmbedding scalingQueries(IntToDoubleFunction scale) {
    return new RotaryEmbedding(config, dim, interleaved, divisors, scale);
  }

  /// The tables for the rows of a batch, from the workspace.
  Table table(Ops ops, Batch batch) {
    int rows = batch.ids().length;
    var cos = ops.empty(rows, dim);
    var sin = ops.empty(rows, dim);
    boolean scaled = queryScale != null;
    var queryCos = scaled ? ops.empty(rows, dim) : cos;
    var querySin = scaled ? ops.empty(rows, dim) : sin;
    double factor = config.scaling().attentionFactor();
    for (var span : batch.spans()) {
      int known = span.position() + span.rows();
      double[] frequencies = frequencies(known, span.sequence().capacity());
      int[] positions = Arrays.copyOfRange(batch.positions(), span.from(), span.to());
      fill(cos, sin, span.from(), positions, frequencies, p -> factor);
      if (scaled) {
        IntToDoubleFunction scale = p -> factor * queryScale.applyAsDouble(p);
        fill(queryCos, querySin, span.from(), positions, frequencies, scale);
      }
    }
    return new Table(cos, sin, queryCos, querySin);
  }

  /// The tables for the tokens of texts that are read whole, from the workspace.
  ///
  /// @param positions each token's place in its text
  public Table table(Ops ops, int[] positions) {
    // Texts have their first positions in common: each is computed once.
    int longest = Arrays.stream(positions).max().orElse(0) + 1;
    double factor = config.scaling().attentionFactor();
    var cos = ops.empty(longest, dim);
    var sin = ops.empty(longest, dim);
    int[] each = IntStream.range(0, longest).toArray();
    fill(cos, sin, 0, each, frequencies(longest, longest), p -> factor);
    var allCos = ops.gatherRows(cos, positions);
    var allSin = ops.gatherRows(sin, positions);
    return new Table(allCos, allSin, allCos, allSin);
  }

  /// Some scalings depend on how long a text is, or may become.
  private double[] frequencies(int length, int capacity) {
    double[] frequencies = config.scaling().frequencies(config.theta(), dim, length, capacity);
    for (int i = 0; divisors != null && i < frequencies.length; i++) {
      frequencies[i] /= divisors[i];
    }
    return frequencies;
  }

  /// @param first the row of the first of the positions
  private void fill(
      Tensor cos,
      Tensor sin,
      int first,
      int[] positions,
      double[] frequencies,
      IntToDoubleFunction scale) {
    int half = frequencies.length;
    for (int t = 0; t < positions.length; t++) {
      int position = positions[t];
      double m = scale.applyAsDouble(position);
      for (int i = 0; i < half; i++) {
        double angle = position * frequencies[i];
        long row = (long) (first + t) * dim;
        long a = row + (interleaved ? 2 * i : i);
        long b = row + (interleaved ? 2 * i + 1 : half + i);
        float s = (float) (m * Math.sin(angle));
        float x = (float) (m * Math.cos(angle));
        cos.segment().setAtIndex(ValueLayout.JAVA_FLOAT, a, x);
        cos.segment().setAtIndex(ValueLayout.JAVA_FLOAT, b, x);
        sin.segment().setAtIndex(ValueLayout.JAVA_FLOAT, a, -s);
        sin.segment().setAtIndex(ValueLayout.JAVA_FLOAT, b, s);
      }
    }
  }

  /// Whether neighbouring elements form a pair, and not the halves of a head.
  public boolean interleaved() {
    return interleaved;
  }
}
