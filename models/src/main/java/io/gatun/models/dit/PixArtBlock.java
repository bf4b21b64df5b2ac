package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;
import java.util.function.BiConsumer;

/// One block of PixArt: attention to the image, attention to the text, feed-forward.
final class PixArtBlock {
  private final int heads;
  private final float[] scaleShiftTable;
  private final LinearWeight qkv1;
  private final LinearWeight out1;
  private final LinearWeight q2;
  private final LinearWeight kv2;
  private final LinearWeight out2;
  private final FeedForward ff;

  PixArtBlock(PixArtConfig config, Weights weights) {
    heads = config.numAttentionHeads();
    int d = config.width();
    boolean bias = config.attentionBias();
    scaleShiftTable = weights.tensor("scale_shift_table", 6, d).toFloats();
    qkv1 = weights.linears(List.of("attn1.to_q", "attn1.to_k", "attn1.to_v"), d, d, bias);
    out1 = weights.linear("attn1.to_out.0", d, d);
    q2 = weights.linears(List.of("attn2.to_q"), d, d, bias);
    kv2 = weights.linears(List.of("attn2.to_k", "attn2.to_v"), d, d, bias);
    out2 = weights.linear("attn2.to_out.0", d, d);
    ff = new FeedForward(weights.at("ff"), d);
  }

  /// The text's keys and values (S, 2 D), of its tokens (S, D).
  Tensor keysAndValues(Functional f, Tensor caption) {
    return f.linear(caption, kv2);
  }

  /// x += gate1 * attn1(norm(x) * scale1 + shift1); x += attn2(x, text) x += gate2 * ff(norm(x) *
  /// scale2 + shift2): x (T, D)
  ///
  /// @param modulation what all blocks share (6 D), to which each adds its own
  Tensor forward(
      Functional f,
      Tensor x,
      float[] modulation,
      Tensor keysAndValues,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          int d = (int) x.dim(1);
          var parts =
              Modulation.ofParts(f, PixArtTransformer2DModel.sum(scaleShiftTable, modulation), d);
          var qkv = f.linear(parts.get(0).norm(f, x), qkv1); // (T, 3 D)
          var seen =
              Heads.attention(
                  f,
                  qkv.slice(1, 0, d),
                  qkv.slice(1, d, 2L * d),
                  qkv.slice(1, 2L * d, 3L * d),
                  heads);
          var y = f.linear(seen, out1);
          probe.accept(".attn1", y);
          var h = parts.get(0).gated(f, x, y);
          var read =
              Heads.attention(
                  f,
                  f.linear(h, q2),
                  keysAndValues.slice(1, 0, d),
                  keysAndValues.slice(1, d, 2L * d),
                  heads);
          y = f.linear(read, out2);
          probe.accept(".attn2", y);
          h = f.add(h, y);
          y = ff.forward(f, parts.get(1).norm(f, h));
          probe.accept(".ff", y);
          return parts.get(1).gated(f, h, y);
        });
  }
}
