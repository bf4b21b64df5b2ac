package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Recurrence;
import io.gatun.tensor.sequence.LayerState;

/// Linear attention by the gated delta rule (Yang et al. 2024, arXiv 2412.06464).
///
/// @param taps (W, N) of a convolution of queries, keys and values
/// @param a (H) how fast each head forgets, negative
/// @param stepBias (H)
/// @param norm of each head's values
public record GatedDeltaNet(
    Inputs inputs,
    Tensor taps,
    Tensor a,
    Tensor stepBias,
    Norm norm,
    Linear out,
    Recurrence.Heads heads)
    implements TokenMixer {
  /// What is made of x, however a checkpoint lays it out.
  @FunctionalInterface
  public interface Inputs {
    /// Queries, keys and values (T, N), the output's gate z (T, H V), beta (T, H), alpha (T, H).
    Tensor[] forward(Ops ops, Activations x);
  }

  /// From the weights below a layer's `linear_attn`.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key or tensor is missing
  public static GatedDeltaNet of(DecoderWeights w, Config c, Keys keys) {
    var heads = heads(keys);
    int channels = 2 * heads.keyWidth() + heads.valueWidth();
    var small = new RecurrentWeights(w);
    int d = c.hiddenSize();
    return new GatedDeltaNet(
        inputs(w, d, heads),
        small.taps("conv1d", channels, keys.first("conv_kernel", "linear_conv_kernel_dim")),
        small.decay("A_log", heads.values(), false),
        w.vector("dt_bias", heads.values()),
        w.rmsNorm("norm", heads.valueSize(), c.normEps()),
        w.linear("out_proj", d, heads.valueWidth()),
        heads);
  }

  private static Recurrence.Heads heads(Keys keys) {
    int values = keys.first("linear_num_value_heads", "mamba_num_heads");
    return new Recurrence.Heads(
        keys.first("linear_num_key_heads", "n_groups"),
        keys.first("linear_key_head_dim", "ssm_state_size"),
        values,
        keys.isGguf() ? keys.count("mamba_d_ssm") / values : keys.count("linear_value_head_dim"),
        // In Qwen3.5's GGUF files values that share a key are apart.
        !keys.type().startsWith("qwen35"));
  }

  private static Inputs inputs(DecoderWeights w, int d, Recurrence.Heads heads) {
    int k = heads.keyWidth();
    int v = heads.valueWidth();
    int h = heads.values();
    int g = heads.keys();
    if (w.has("in_proj_b.weight")) {
      var qkv = w.linear("in_proj_qkv", 2L * k + v, d);
      var z = w.linear("in_proj_z", v, d);
      var b = w.linear("in_proj_b", h, d);
      var a = w.linear("in_proj_a", h, d);
      return (ops, x) -> Linear.forward(ops, x, qkv, z, b, a);
    }
    // Qwen3-Next: what belongs to one key head lies together.
    var ba = w.linear("in_proj_ba", 2L * h, d);
    if (w.has("in_proj_qkv.weight")) {
      var qkv = w.linear("in_proj_qkv", 2L * k + v, d);
      var z = w.linear("in_proj_z", v, d);
      return (ops, x) -> {
        var made = Linear.forward(ops, x, qkv, z, ba);
        var gates = Linear.parts(ops, made[2], g, h / g, h / g);
        return new Tensor[] {made[0], made[1], gates[0], gates[1]};
      };
    }
    var qkvz = w.linear("in_proj_qkvz", 2L * k + 2L * v, d);
    return (ops, x) -> {
      var made = Linear.forward(ops, x, qkvz, ba);
      var p = Linear.parts(ops, made[0], g, k / g, k / g, v / g, v / g);
      var gates = Linear.parts(ops, made[1], g, h / g, h / g);
      var qkv = new Functional(ops, DType.Plain.F32).concat(p[0], p[1], p[2]);
      return new Tensor[] {qkv, p[3], gates[0], gates[1]};
    };
  }

  @Override
  public LayerState state() {
    return LayerState.Recurrent.of(
        Shape.of(taps.dim(0) - 1, taps.dim(1)),
        Shape.of(heads.values(), heads.keySize(), heads.valueSize()));
  }

  /// q, k, v = silu(conv(x Wqkv)); y = deltaRule(q, k, v); (silu(x Wz) * norm(y)) Wout
  @Override
  public Tensor forward(Ops ops, Activations x, Step step) {
    var made = inputs.forward(ops, x);
    var recurrence = step.recurrence(ops, this);
    var qkv = recurrence.convolution(made[0], taps, null, Activation.SILU);
    var decay = new Recurrence.Decay(a, stepBias, made[3]);
    var y = recurrence.deltaRule(qkv, decay, made[2], heads); // (T, H V)
    long t = x.rows();
    y = norm.of(ops, y.reshape(t * heads.values(), heads.valueSize()));
    ops.siluMulInPlace(made[1], y.reshape(t, heads.valueWidth()));
    return out.forward(ops, made[1]);
  }
}
