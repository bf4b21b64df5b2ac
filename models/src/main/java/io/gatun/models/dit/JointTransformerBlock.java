package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.function.BiConsumer;

/// A block of MM-DiT (Esser et al. 2024, arXiv:2403.03206, figure 2b): text and image see each
/// other, and go through layers of their own otherwise.
///
/// @param attn2 attention of the image to itself alone (Stable Diffusion 3.5); null for none
/// @param ffContext null in a last block, after which the text is of no use
record JointTransformerBlock(JointAttention attn, ImageAttention attn2, Mlp ff, Mlp ffContext) {
  /// [c, x] += gates * attn(norm(c), norm(x)); x += gate * attn2(norm(x)) c += gate *
  /// ffContext(norm(c)); x += gate * ff(norm(x))
  ///
  /// @param tokens the text's S, then the image's T (S + T, D)
  /// @param context how the text's attention and feed-forward part are modulated
  /// @param image how the image's attention, feed-forward part, and second attention are
  /// @return the same, or in a last block the image's tokens alone
  Tensor forward(
      Functional f,
      Tensor tokens,
      long text,
      List<Modulation> context,
      List<Modulation> image,
      AxialRope.Table rope,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var c = tokens.slice(0, 0, text);
          var x = Rows.after(tokens, text);
          var seen = attn.forward(f, context.get(0).norm(f, c), image.get(0).norm(f, x), rope);
          var y = attn.imageOut(f, Rows.after(seen, text));
          probe.accept(".attn.0", y);
          var h = image.get(0).gated(f, x, y);
          if (attn2 != null) {
            h = image.get(2).gated(f, h, attn2.forward(f, image.get(2).norm(f, x)));
          }
          h = image.get(1).gated(f, h, ff.forward(f, image.get(1).norm(f, h)));
          if (ffContext == null) {
            probe.accept("", h);
            return h;
          }
          probe.accept(".1", h);
          y = attn.textOut(f, seen.slice(0, 0, text));
          probe.accept(".attn.1", y);
          var d = context.get(0).gated(f, c, y);
          d = context.get(1).gated(f, d, ffContext.forward(f, context.get(1).norm(f, d)));
          probe.accept(".0", d);
          return Rows.join(f, d, h);
        });
  }
}
