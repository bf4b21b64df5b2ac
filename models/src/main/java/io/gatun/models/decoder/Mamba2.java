package io.gatun.models.decoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Recurrence;
import io.gatun.tensor.sequence.LayerState;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/// A state space layer (Dao and Gu 2024, "Transformers are SSMs").
///
/// @param in to the gate z, what is convolved (x, B and C) and the steps' lengths
/// @param taps (W, N) of the convolution
/// @param bias (N) of the convolution, or null
/// @param scan a, D and so on
/// @param gate what z is multiplied by
/// @param step what the lengths are multiplied by
/// @param norm none, or (G, H V / G) of each group of heads
/// @param normFirst whether the gate comes after the norm
public record Mamba2(
    Linear in,
    Tensor taps,
    Tensor bias,
    Scan scan,
    Norm gate,
    Norm step,
    Norm norm,
    boolean normFirst,
    Linear out,
    Recurrence.Heads heads)
    implements TokenMixer {
  /// How states change.
  ///
  /// @param a (H) how fast each head forgets, negative
  /// @param stepBias (H)
  /// @param skip (H) D
  /// @param least length of a step
  public record Scan(Tensor a, Tensor stepBias, Tensor skip, float least) {}

  /// From the weights of a layer, without multipliers.
  ///
  /// @param normFirst whether the gate comes after the norm, if there is one
  /// @throws CheckpointException if a key or tensor is missing, or asks for what Gatun does not do
  public static Mamba2 of(DecoderWeights w, Config c, Keys keys, boolean normFirst) {
    var heads = heads(keys, c);
    int v = heads.valueWidth();
    int n = v + 2 * heads.keyWidth();
    int g = heads.keys();
    var small = new RecurrentWeights(w);
    var norm =
        !w.has("norm.weight")
            ? Norm.none()
            : new Norm.Rms(
                w.isGguf()
                    ? w.floats("norm.weight", g, v / g)
                    : w.vector("norm.weight", v).reshape(g, v / g),
                c.normEps());
    return new Mamba2(
        w.linear("in_proj", (long) v + n + heads.values(), c.hiddenSize()),
        small.taps("conv1d", n, keys.first("conv_kernel", "mamba_d_conv")),
        w.bias("conv1d", n),
        new Scan(
            small.decay("A_log", heads.values(), true),
            w.vector("dt_bias", heads.values()),
            small.heads("D", heads.values(), true),
            (float) least(keys)),
        Norm.none(),
        Norm.none(),
        norm,
        normFirst,
        w.linear("out_proj", c.hiddenSize(), v),
        heads);
  }

  private static Recurrence.Heads heads(Keys keys, Config c) {
    int values = keys.first("mamba_num_heads", "mamba_n_heads");
    int width = keys.count("mamba_d_ssm", keys.count("mamba_expand", 2) * c.hiddenSize());
    return new Recurrence.Heads(
        keys.first("n_groups", "mamba_n_groups"),
        keys.first("ssm_state_size", "mamba_d_state"),
        values,
        keys.count("mamba_head_dim", width / values),
        true);
  }

  /// Nemotron's `time_step_min`, or the lower end of a range without upper end.
  private static double least(Keys keys) {
    boolean ranged = !keys.isAbsent("time_step_limit");
    var limit = keys.json().path("time_step_limit");
    if (ranged && Double.isFinite(limit.path(1).asDouble(Double.POSITIVE_INFINITY))) {
      throw new CheckpointException(
          "%s: \"time_step_limit\" is %s; Gatun runs only models whose steps may be of any length"
              .formatted(keys.where(), limit));
    }
    return keys.number("time_step_min", limit.path(0).asDouble(0));
  }

  /// The same with multiples of what comes out of the first layer: the gate z, x, B, C, and the
  /// steps' lengths.
  public Mamba2 scaled(float z, float x, float b, float c, float length) {
    int v = heads.valueWidth();
    int k = heads.keyWidth();
    var scaled = taps.copy(Arena.ofAuto());
    for (long i = 0; i < scaled.size(); i++) {
      long channel = i % (v + 2 * k);
      float factor = channel < v ? x : channel < v + k ? b : c;
      scaled
          .segment()
          .setAtIndex(
              ValueLayout.JAVA_FLOAT, i, factor * scaled.getFloat(i / (v + 2 * k), channel));
    }
    return new Mamba2(
        in,
        scaled,
        bias,
        scan,
        z == 1 ? gate : new Norm.Scale(z),
        length == 1 ? step : new Norm.Scale(length),
        norm,
        normFirst,
        out,
        heads);
  }

  /// GGUF's names of the tensors of `part`, for [Architecture#ggufNames].
  public static Map<String, String> ggufNames(String part) {
    return Map.of(
        part + ".in_proj", "ssm_in",
        part + ".conv1d", "ssm_conv1d",
        part + ".A_log", "ssm_a",
        part + ".D", "ssm_d",
        part + ".dt_bias", "ssm_dt.bias",
        part + ".norm", "ssm_norm",
        part + ".out_proj", "ssm_out");
  }

  @Override
  public LayerState state() {
    return LayerState.Recurrent.of(
        Shape.of(taps.dim(0) - 1, taps.dim(1)),
        Shape.of(heads.values(), heads.keySize(), heads.valueSize()));
  }

  /// z, xBC, d = x Win; y = scan(silu(conv(xBC)), d); norm(y * silu(z)) Wout
  @Override
  public Tensor forward(Ops ops, Activations x, Step layers) {
    int n = Math.toIntExact(taps.dim(1));
    var made = Linear.forward(ops, x, in)[0];
    var parts = Linear.parts(ops, made, 1, heads.valueWidth(), n, heads.values());
    var z = gate.of(ops, parts[0]); // (T, H V)
    var recurrence = layers.recurrence(ops, this);
    var xbc = recurrence.convolution(parts[1], taps, bias, Activation.SILU); // (T, N)
    var decay = new Recurrence.Decay(scan.a, scan.stepBias, step.of(ops, parts[2]));
    var y = recurrence.stateSpace(xbc, decay, scan.skip, scan.least, heads); // (T, H V)
    if (normFirst) {
      y = normed(ops, y);
    }
    ops.siluMulInPlace(z, y);
    return out.forward(ops, normFirst ? z : normed(ops, z));
  }

  private Tensor normed(Ops ops, Tensor y) {
    return norm instanceof Norm.Rms(Tensor weight, float _)
        ? norm.of(ops, y.reshape(y.dim(0) * weight.dim(0), weight.dim(1))).reshape(y.shape().dims())
        : y;
  }
}
