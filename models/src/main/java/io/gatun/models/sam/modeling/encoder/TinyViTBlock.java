package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;

/// A block of TinyViT: attention inside windows with a bias for each distance, a convolution of
/// each channel, and a feed-forward layer.
final class TinyViTBlock implements TinyViT.Layer {
  private static final float LAYER_NORM_EPS = 1e-5f;

  private final int heads;
  private final int window;
  private final float scale;
  private final LayerNorm attnNorm;
  private final LinearWeight qkv;
  private final Tensor padding; // (3 D): what a token of zeros is to attention
  private final Tensor biases; // (H T T) F32
  private final LinearWeight proj;
  private final ConvWeight localConv;
  private final LayerNorm mlpNorm;
  private final LinearWeight fc1;
  private final LinearWeight fc2;

  TinyViTBlock(Weights weights, long dim, int heads, int window, Functional f) {
    this.heads = heads;
    this.window = window;
    scale = (float) (1 / Math.sqrt((double) dim / heads));
    attnNorm = weights.layerNorm("attn.norm", dim, LAYER_NORM_EPS);
    qkv = weights.linear("attn.qkv", 3 * dim, dim);
    // The reference pads with zeros before the norm, which makes its bias of them.
    padding =
        Constants.keep(
            f, () -> f.linear(f.cast(attnNorm.bias()).reshape(1, dim), qkv).reshape(3 * dim));
    biases = biases(weights.tensor("attn.attention_biases", heads, (long) window * window));
    proj = weights.linear("attn.proj", dim, dim);
    localConv = ConvBn.conv(weights.at("local_conv"), dim, 1, 3, 1);
    mlpNorm = weights.layerNorm("mlp.norm", dim, LAYER_NORM_EPS);
    long hidden = weights.shape("mlp.fc1.weight").dim(0);
    fc1 = weights.linear("mlp.fc1", hidden, dim);
    fc2 = weights.linear("mlp.fc2", dim, hidden);
  }

  /// For each head, cell and other cell that of their rows' and columns' distances.
  private Tensor biases(Tensor table) {
    float[] byDistance = table.toFloats();
    int cells = window * window;
    var all = new float[heads * cells * cells];
    for (int i = 0; i < all.length; i++) {
      int a = i / cells % cells;
      int b = i % cells;
      int down = Math.abs(a / window - b / window);
      int across = Math.abs(a % window - b % window);
      all[i] = byDistance[i / cells / cells * cells + down * window + across];
    }
    return Tensor.ofFloats(Arena.ofAuto(), all, all.length);
  }

  /// h = conv(x + attention(norm(x))); y = h + gelu(norm(h) W1) W2, all (1, H, W, D)
  @Override
  public Tensor forward(Functional f, Tensor x) {
    var h = f.linear(attention(f, attnNorm.forward(f, x)), proj, Epilogue.add(x));
    h = f.depthwiseConv2d(h, localConv);
    var hidden = f.linear(mlpNorm.forward(f, h), fc1, Epilogue.of(Activation.GELU));
    return f.linear(hidden, fc2, Epilogue.add(h));
  }

  /// softmax(q k^T / sqrt(C) + biases) v, where each head has its q, k and v side by side.
  private Tensor attention(Functional f, Tensor x) {
    var windows = f.windowPartition(f.linear(x, qkv), window, padding); // (W, T, 3 D)
    long n = windows.dim(0);
    long cells = windows.dim(1);
    long c = windows.dim(2) / 3 / heads;
    // (W, H, T, 3 C)
    var byHeads = windows.reshape(n, cells, heads, 3 * c).transpose(1, 2);
    var q = f.scale(f.cast(byHeads.slice(3, 0, c)), scale).reshape(n * heads, cells, c);
    var k = f.cast(byHeads.slice(3, c, 2 * c)).reshape(n * heads, cells, c);
    var v = f.cast(byHeads.slice(3, 2 * c, 3 * c).transpose(2, 3)).reshape(n * heads, c, cells);
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    var scores = f.toF32(f.matmulTransposed(q, k)).reshape(n, heads * cells * cells);
    var weights = f32.add(scores, biases).reshape(n * heads, cells, cells);
    f.ops().softmax(weights);
    var y = f.matmulTransposed(f.cast(weights), v).reshape(n, heads, cells, c);
    var joined = f.cast(y.transpose(1, 2)).reshape(n, cells, heads * c);
    return f.windowUnpartition(joined, window, 1, x.dim(1), x.dim(2));
  }

  @Override
  public long flops(long side) {
    long tokens = side * side;
    long d = proj.inFeatures();
    long cells = (long) window * window;
    return 2
        * tokens
        * (4 * d * d + 2 * d * cells + localConv.weight().size() + 2 * d * fc1.outFeatures());
  }
}
