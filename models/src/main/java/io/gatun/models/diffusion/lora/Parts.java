package io.gatun.models.diffusion.lora;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.lora.LoraNames.Role;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;

/// The tensors of a module's adaptation, of which it is made.
///
/// @param alpha what metadata say of it; null for nothing
record Parts(Path file, String module, Map<Role, Tensor> tensors, Alpha alpha) {
  /// PEFT's `lora_alpha`.
  ///
  /// @param byRoot whether it is to be divided by the rank's root
  record Alpha(double value, boolean byRoot) {}

  WeightChange change(double strength) {
    Tensor magnitude = tensors.get(Role.MAGNITUDE);
    if (tensors.containsKey(Role.DOWN) || tensors.containsKey(Role.UP)) {
      return new WeightChange(
          lowRank(Role.UP, Role.CORE, Role.DOWN),
          factor(tensors.get(Role.DOWN).dim(0)),
          magnitude,
          strength);
    }
    if (tensors.containsKey(Role.HADA_1_A)) {
      var first = lowRank(Role.HADA_1_A, Role.HADA_1_CORE, Role.HADA_1_B);
      var second = lowRank(Role.HADA_2_A, Role.HADA_2_CORE, Role.HADA_2_B);
      if (first.rows() != second.rows() || first.columns() != second.columns()) {
        throw new CheckpointException(
            "%s: the matrices of \"%s\" are (%d, %d) and (%d, %d); need them of one size"
                .formatted(
                    file, module, first.rows(), first.columns(), second.rows(), second.columns()));
      }
      long rank = tensors.get(Role.HADA_1_B).dim(0);
      return new WeightChange(
          new Adaptation.Hadamard(first, second), factor(rank), magnitude, strength);
    }
    if (tensors.containsKey(Role.LOKR_1) || tensors.containsKey(Role.LOKR_1_B)) {
      var first = kroneckers(Role.LOKR_1, Role.LOKR_1_A, null, Role.LOKR_1_B);
      var second = kroneckers(Role.LOKR_2, Role.LOKR_2_A, Role.LOKR_2_CORE, Role.LOKR_2_B);
      var thin = tensors.getOrDefault(Role.LOKR_1_B, tensors.get(Role.LOKR_2_B));
      return new WeightChange(
          new Adaptation.Kronecker(first, second),
          thin == null ? 1 : factor(thin.dim(0)), // two whole matrices have no rank
          magnitude,
          strength);
    }
    return new WeightChange(new Adaptation.Whole(matrix(Role.WHOLE)), 1, magnitude, strength);
  }

  private Adaptation kroneckers(Role whole, Role up, Role core, Role down) {
    return tensors.containsKey(whole)
        ? new Adaptation.Whole(matrix(whole))
        : lowRank(up, core, down);
  }

  /// A product of two matrices. Where LyCORIS has a core between them, the first is transposed.
  private Adaptation.LowRank lowRank(Role first, Role between, Role second) {
    Tensor up = matrix(first);
    Tensor down = matrix(second);
    Tensor core = tensors.get(between);
    if (core != null && first != Role.UP) {
      up = transposed(up);
    }
    long left = up.size() / up.dim(0);
    boolean fits =
        core == null
            ? left == down.dim(0)
            : core.shape().rank() == 4 && core.dim(0) == left && core.dim(1) == down.dim(0);
    if (!fits) {
      throw new CheckpointException(
          "%s: the matrices of \"%s\" are %s and %s%s; need (out, rank) and (rank, in) or (rank, in, height, width), of the same rank"
              .formatted(
                  file,
                  module,
                  up.shape(),
                  down.shape(),
                  core == null ? "" : ", between them " + core.shape()));
    }
    return new Adaptation.LowRank(up, core, down);
  }

  private static Tensor transposed(Tensor x) {
    float[] values = Ops.toF32(x, Arena.ofAuto()).toFloats();
    int rows = (int) x.dim(0);
    int columns = values.length / rows;
    var out = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      out[i % columns * rows + i / columns] = values[i];
    }
    return Tensor.ofFloats(Arena.ofAuto(), out, columns, rows);
  }

  private Tensor matrix(Role role) {
    Tensor tensor = tensors.get(role);
    if (tensor == null) {
      throw new CheckpointException(
          "%s: the adaptation of \"%s\" lacks a tensor such as \"%s\""
              .formatted(file, module, LoraNames.names(module, role).getFirst()));
    }
    if (tensor.shape().rank() < 2 || tensor.size() == 0) {
      throw new CheckpointException(
          "%s: a matrix of \"%s\" (%s) is %s; need two dimensions or more"
              .formatted(file, module, LoraNames.names(module, role).getFirst(), tensor.shape()));
    }
    return tensor;
  }

  /// alpha / rank; 1 where the file says nothing.
  private double factor(long rank) {
    Tensor own = tensors.get(Role.ALPHA);
    if (own == null) {
      return alpha == null ? 1 : alpha.value / (alpha.byRoot ? Math.sqrt(rank) : rank);
    }
    if (own.size() != 1) {
      throw new CheckpointException(
          "%s: \"%s.alpha\" is %s; need one number".formatted(file, module, own.shape()));
    }
    return own.toFloats()[0] / rank;
  }
}
