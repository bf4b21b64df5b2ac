package io.gatun.models.diffusion;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightMerge;
import io.gatun.models.nn.WeightNames;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Adds low-rank adaptations to the weights of one part of a pipeline as it is loaded.
///
/// Weights that are adapted are copied, in the activations' type; the others stay in the
/// checkpoint. Sums are in F32.
final class LoraMerge implements WeightMerge {
  private static final String WEIGHT = ".weight";

  private final List<Lora> loras;
  private final String part;
  private final WeightNames original;
  private final Functional f;
  private final Functional f32;
  private final Arena arena;

  /// @param original see [Lora#find]
  /// @param f the operations of the network
  /// @param arena what the changed weights live in
  LoraMerge(List<Lora> loras, String part, WeightNames original, Functional f, Arena arena) {
    this.loras = loras;
    this.part = part;
    this.original = original;
    this.f = f;
    f32 = new Functional(f.ops(), DType.Plain.F32);
    this.arena = arena;
  }

  @Override
  public Tensor merge(String name, Tensor weight) {
    String module = name.substring(0, name.length() - WEIGHT.length());
    try (var _ = f.scope()) {
      Tensor sum = null; // (N, K), a convolution's kernels as rows
      for (Lora lora : loras) {
        Lora.Delta delta = lora.find(part, module, original);
        if (delta != null) {
          check(lora, name, weight, delta);
          long rows = weight.dim(0);
          Tensor before =
              sum == null
                  ? Ops.toF32(weight, Arena.ofAuto()).reshape(rows, weight.size() / rows)
                  : sum;
          sum = f32.add(before, product(delta));
        }
      }
      if (sum == null) {
        return weight;
      }
      Tensor merged = Tensor.allocate(arena, f.dtype(), weight.shape().dims());
      merged.segment().copyFrom(f.cast(sum).segment());
      return merged;
    }
  }

  /// `scale * up * down` (N, K).
  private Tensor product(Lora.Delta delta) {
    long rank = delta.rank();
    long rows = delta.up().dim(0);
    long columns = delta.down().size() / rank;
    Tensor up = f32.scale(f32.cast(delta.up()), (float) delta.scale()).reshape(1, rows, rank);
    Tensor down = transposed(f32.cast(delta.down()).reshape(rank, columns));
    return f32.matmulTransposed(up, down).reshape(rows, columns);
  }

  /// A matrix (R, K) as (1, K, R): products want rows of equal length on both sides.
  private Tensor transposed(Tensor x) {
    long rows = x.dim(0);
    long columns = x.dim(1);
    Tensor out = f32.empty(1, columns, rows);
    for (long i = 0; i < rows; i++) {
      for (long j = 0; j < columns; j++) {
        float value = x.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i * columns + j);
        out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, j * rows + i, value);
      }
    }
    return out;
  }

  private static void check(Lora lora, String name, Tensor weight, Lora.Delta delta) {
    boolean fits =
        delta.up().dim(0) == weight.dim(0)
            && delta.down().size() / delta.rank() == weight.size() / weight.dim(0)
            && delta.down().dim(1) == weight.dim(1);
    if (!fits) {
      throw new CheckpointException(
          "%s: the adaptation of \"%s\" is %s by %s; the model's weight is %s. It was made for another model"
              .formatted(
                  lora.path(), name, delta.up().shape(), delta.down().shape(), weight.shape()));
    }
  }
}
