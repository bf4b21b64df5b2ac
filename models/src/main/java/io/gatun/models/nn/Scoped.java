package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/// Runs a part of a network in a scope of its own, which only its result survives.
public final class Scoped {
  /// Bytes that are worth handing to another thread.
  private static final long COPIED = 64 << 10;

  private Scoped() {}

  /// Runs `body`, which keeps nothing that it takes from the workspace.
  public static void run(Functional f, Runnable body) {
    try (var _ = f.scope()) {
      body.run();
    }
  }

  /// The result of `body`, moved to where the workspace was before it.
  public static Tensor call(Functional f, Supplier<Tensor> body) {
    Tensor result;
    try (var _ = f.scope()) {
      result = body.get();
    }
    return moved(f, result);
  }

  /// The result of layers one after the other, moved to where the workspace was before them: no
  /// more than two of their results are there at a time.
  public static Tensor chain(
      Functional f, Tensor in, List<? extends UnaryOperator<Tensor>> layers) {
    var x = in;
    try (var scope = f.scope()) {
      for (var layer : layers) {
        var result = layer.apply(x);
        scope.reset();
        x = moved(f, result);
      }
    }
    return layers.isEmpty() ? in : moved(f, x);
  }

  /// A copy at the workspace's mark, of what may lie there.
  private static Tensor moved(Functional f, Tensor result) {
    // What was taken lies untouched until the next taking, which may overlap it.
    var kept = f.ops().workspace().take(result.dtype(), result.shape().dims());
    if (kept.segment().address() != result.segment().address()) {
      copy(f, result.segment(), kept.segment(), result.byteSize());
    }
    return kept;
  }

  /// On all threads, unless the two overlap.
  private static void copy(Functional f, MemorySegment from, MemorySegment to, long bytes) {
    boolean apart =
        from.address() - to.address() >= bytes || to.address() - from.address() >= bytes;
    f.ops()
        .workers()
        .forEach(
            bytes,
            apart ? COPIED : bytes,
            (_, start, end) -> MemorySegment.copy(from, start, to, start, end - start));
  }
}
