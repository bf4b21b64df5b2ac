package io.gatun.models.diffusion.lora;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightMerge;
import io.gatun.models.nn.WeightNames;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.List;

/// Adds adaptations to the weights of one part of a pipeline as it is loaded.
///
/// Weights that are adapted are copied, in the activations' type; the others stay in the
/// checkpoint. Sums are in F32.
final class LoraMerge implements WeightMerge {
  private static final String WEIGHT = ".weight";

  private final List<Lora> loras;
  private final String part;
  private final List<WeightNames> originals;
  private final Functional f;
  private final Functional f32;
  private final Arena arena;

  /// @param originals see [Lora#find]
  /// @param f the operations of the network
  /// @param arena what the changed weights live in
  LoraMerge(List<Lora> loras, String part, List<WeightNames> originals, Functional f, Arena arena) {
    this.loras = loras;
    this.part = part;
    this.originals = originals;
    this.f = f;
    f32 = new Functional(f.ops(), DType.Plain.F32);
    this.arena = arena;
  }

  @Override
  public Tensor merge(String name, Tensor weight) {
    String module = name.substring(0, name.length() - WEIGHT.length());
    try (var _ = f.scope()) {
      long rows = weight.dim(0);
      long columns = weight.size() / rows;
      Tensor sum = null; // (N, K), a convolution's kernels as rows
      for (Lora lora : loras) {
        WeightChange change = lora.find(part, module, originals);
        if (change != null) {
          if (!change.fits(rows, columns, weight.dim(1))) {
            throw new CheckpointException(
                "%s: the adaptation of \"%s\" is for (%d, %d); the model's weight is %s. It was made for another model"
                    .formatted(
                        lora.path(),
                        name,
                        change.adaptation().rows(),
                        change.adaptation().columns(),
                        weight.shape()));
          }
          Tensor before =
              sum == null ? Ops.toF32(weight, Arena.ofAuto()).reshape(rows, columns) : sum;
          sum = change.of(f32, before, weight.dim(1));
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
}
