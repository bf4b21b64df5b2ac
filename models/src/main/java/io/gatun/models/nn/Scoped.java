package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;

/// Runs a part of a network in a scope of its own, which only its result survives.
public final class Scoped {
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
    // What was taken lies untouched until the next taking, which may overlap it.
    var kept = f.ops().workspace().take(result.dtype(), result.shape().dims());
    MemorySegment.copy(result.segment(), 0, kept.segment(), 0, result.byteSize());
    return kept;
  }
}
