package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.HieraConfig;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// A block of Hiera: attention inside windows or over the whole image, and a feed-forward layer.
/// The first block of a stage pools its queries and thereby halves rows and columns.
final class MultiScaleBlock {
  private final Form form;
  private final LayerNorm norm1;
  private final LinearWeight qkv;
  private final Tensor qkvBias; // (3 D)
  private final LinearWeight attnProj;
  private final LinearWeight proj; // or null
  private final LayerNorm norm2;
  private final LinearWeight layers0;
  private final LinearWeight layers1;
  private final float scale;

  /// @param window its side in tokens; 0 if it spans the whole image
  /// @param pools whether it begins a stage
  record Form(int dim, int dimOut, int heads, int window, boolean pools) {}

  MultiScaleBlock(Weights weights, Form form, Functional f) {
    this.form = form;
    long in = form.dim;
    long d = form.dimOut;
    scale = (float) (1 / Math.sqrt((double) d / form.heads));
    norm1 = weights.layerNorm("norm1", in, HieraConfig.LAYER_NORM_EPS);
    qkv = weights.linear("attn.qkv", 3 * d, in);
    qkvBias = Constants.keep(f, () -> f.cast(weights.tensor("attn.qkv.bias", 3 * d)));
    attnProj = weights.linear("attn.proj", d, d);
    proj = in == d ? null : weights.linear("proj", d, in);
    norm2 = weights.layerNorm("norm2", d, HieraConfig.LAYER_NORM_EPS);
    long hidden = weights.shape("mlp.layers.0.weight").dim(0);
    layers0 = weights.linear("mlp.layers.0", hidden, d);
    layers1 = weights.linear("mlp.layers.1", d, hidden);
  }

  /// x (B, H, W, C) to (B, H, W, D), or, where it pools, (B, H / 2, W / 2, D), of an image or of
  /// squares of it as large as the windows:
  ///
  ///     n = norm1(x); h = pool(n Wproj) + attention(n) Wattn, or x + attention(n) Wattn
  ///     y = h + gelu(norm2(h) W0) W1
  Tensor forward(Functional f, Tensor x) {
    var n = norm1.forward(f, x);
    var shortcut = proj == null ? x : pooled(f, f.linear(n, proj));
    var h = f.linear(attention(f, n), attnProj, Epilogue.add(shortcut));
    var hidden = f.linear(norm2.forward(f, h), layers0, Epilogue.of(Activation.GELU));
    return f.linear(hidden, layers1, Epilogue.add(h));
  }

  private Tensor pooled(Functional f, Tensor x) {
    return form.pools ? f.maxPool2x2(x) : x;
  }

  /// q, k, v = x Wqkv; softmax(pool(q) k^T / sqrt(C)) v
  ///
  /// The reference pads x with zeros to whole windows and then multiplies it, which gives the bias.
  private Tensor attention(Functional f, Tensor x) {
    long batch = x.dim(0);
    long side = x.dim(1);
    long d = form.dimOut;
    var y = f.linear(x, qkv); // (B, H, W, 3 D)
    boolean whole = form.window == 0 || form.window == side;
    int window = whole ? Math.toIntExact(side) : form.window;
    var all =
        whole
            ? y.reshape(batch, side * side, 3 * d)
            : f.windowPartition(y, window, qkvBias); // (windows, T, 3 D)
    var q = all.slice(-1, 0, d);
    int out = window;
    if (form.pools) {
      var pooled = f.maxPool2x2(f.cast(q).reshape(all.dim(0), window, window, d));
      out = window / 2;
      q = pooled.reshape(all.dim(0), (long) out * out, d);
    }
    var result =
        f.attention(
            q,
            all.slice(-1, d, 2 * d),
            all.slice(-1, 2 * d, 3 * d),
            form.heads,
            AttentionSpec.full(scale));
    long rows = side(side);
    return whole
        ? result.reshape(batch, rows, rows, d)
        : f.windowUnpartition(result, out, batch, rows, rows);
  }

  /// Rows of the result for so many of the input.
  long side(long rows) {
    return form.pools ? rows / 2 : rows;
  }

  /// Channels of the result.
  int dimOut() {
    return form.dimOut;
  }

  /// Whether it looks at nothing outside of squares of so many rows.
  boolean staysIn(long rows) {
    return form.window == rows && (!form.pools || rows % 2 == 0);
  }

  /// Of the products in one [#forward] of (1, rows, rows, C).
  long flops(long rows) {
    long tokens = rows * rows;
    long left = side(rows) * side(rows);
    long d = form.dimOut;
    long seen = form.window == 0 ? tokens : (long) form.window * form.window;
    long products = tokens * form.dim * (3 * d + (proj == null ? 0 : d));
    products += left * d * (d + 2 * layers0.outFeatures() + 2 * seen);
    return 2 * products;
  }
}
