package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/// The matrices of a mixture's experts, in place.
///
/// Checkpoints keep each expert's by themselves, or the same one of all experts in one tensor, a
/// stack. Tiles hold single matrices: a stack that was quantized is a tensor for each expert.
public final class ExpertWeights {
  /// Gate, up and down, as most architectures call them.
  public static final List<String> PROJECTIONS = List.of("gate_proj", "up_proj", "down_proj");

  private final DecoderWeights w;
  private final int count;

  /// @param w of which a token reads as much as of the experts
  ExpertWeights(DecoderWeights w, int count) {
    this.w = w;
    this.count = count;
  }

  /// Whether there is such a stack, as it was or in tiles.
  public boolean has(String stack) {
    return w.has(stack) || w.has(stack + ".0");
  }

  /// Layers with SiLU gates, whose tensors are by themselves, or, in GGUF files, in stacks.
  ///
  /// @param list what stands before the experts' numbers
  /// @param names of gate, up and down, which stand behind
  public List<GatedMlp> gated(String list, List<String> names, int f, int d) {
    var gates = linears(list, names.get(0), f, d);
    var ups = linears(list, names.get(1), f, d);
    var downs = linears(list, names.get(2), d, f);
    return each(e -> new GatedMlp(gates.get(e), ups.get(e), downs.get(e), Activation.SILU));
  }

  private List<Linear> linears(String list, String part, int n, int k) {
    var names = each(e -> list + "." + e + "." + part);
    String first = w.own(names.getFirst() + ".weight");
    String stack = TensorNames.stackOf(first);
    if (stack == null || !w.hasOwn(stack)) {
      return each(e -> w.linear(names.get(e), n, k));
    }
    var matrices = ofStack(stack, n, k);
    return each(e -> new Linear(matrices.get(e), null));
  }

  /// Gated layers in two stacks: gate and up together (E, 2 F, D), and down (E, D, F).
  public List<GatedMlp> fused(String gateUp, String down, int f, int d, Activation activation) {
    var inputs = matrices(gateUp, 2 * f, d);
    var outputs = matrices(down, d, f);
    if (f % DType.Tiled.ROWS != 0) {
      w.readInParts(w.own(gateUp));
    }
    return each(
        e ->
            new GatedMlp(
                new Linear(inputs.get(e).slice(0, 0, f), null),
                new Linear(inputs.get(e).slice(0, f, 2L * f), null),
                new Linear(outputs.get(e), null),
                activation));
  }

  /// The matrices (N, K) of a stack; of two, `_blocks` and `_scales`, where the values of MXFP4 are
  /// apart from their scales.
  public List<Tensor> matrices(String name, int n, int k) {
    if (!w.has(name + "_blocks")) {
      return ofStack(w.own(name), n, k);
    }
    int groups = k / DType.Block.MXFP4_PAIRS.blockSize();
    var blocks = w.stored(w.own(name + "_blocks"), Shape.of(count, n, groups, 16));
    var scales = w.stored(w.own(name + "_scales"), Shape.of(count, n, groups));
    return each(Tensor.scaled(blocks, scales)::get);
  }

  /// The same of a stack whose matrices are stored the other way round, (K, N), but where they were
  /// quantized.
  public List<Tensor> turnedMatrices(String name, int n, int k) {
    if (!w.has(name)) {
      return matrices(name, n, k);
    }
    w.stack(w.own(name), true);
    var all = w.stored(w.own(name), Shape.of(count, k, n));
    return each(e -> all.get(e).transpose(0, 1));
  }

  private List<Tensor> ofStack(String own, int n, int k) {
    if (!w.hasOwn(own) && w.hasOwn(TensorNames.ofExpert(own, 0))) {
      return each(e -> w.stored(TensorNames.ofExpert(own, e), Shape.of(n, k)));
    }
    w.stack(own, false);
    return each(w.stored(own, Shape.of(count, n, k))::get);
  }

  private <T> List<T> each(IntFunction<T> one) {
    return IntStream.range(0, count).mapToObj(one).toList();
  }
}
