package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.RelativePositions;

/// A block of the image encoder: attention over the whole image or inside windows, with decomposed
/// relative positions (Li et al. 2022, "MViTv2") unless it is EfficientSAM's, and a feed-forward
/// layer.
final class Block {
  private final LayerNorm norm1;
  private final LinearWeight qkv;
  private final Tensor qkvBias; // (3 D), or null
  private final LinearWeight proj;
  private final LayerNorm norm2;
  private final LinearWeight lin1;
  private final LinearWeight lin2;
  private final RelativePositions relPos; // or null
  private final int grid;
  private final boolean global;
  private final int heads;
  private final float scale;

  /// @param global whether its attention spans the whole image
  Block(Weights weights, ViTConfig config, boolean global, Functional f) {
    this.global = global;
    long d = config.embedDim();
    heads = config.numHeads();
    scale = (float) (1 / Math.sqrt(d / heads));
    grid = config.grid();
    norm1 = weights.layerNorm("norm1", d, config.layerNormEps());
    boolean hasBias = weights.has("attn.qkv.bias");
    qkv =
        hasBias
            ? weights.linear("attn.qkv", 3 * d, d)
            : weights.linearWithoutBias("attn.qkv", 3 * d, d);
    qkvBias =
        hasBias ? Constants.keep(f, () -> f.cast(weights.tensor("attn.qkv.bias", 3 * d))) : null;
    proj = weights.linear("attn.proj", d, d);
    norm2 = weights.layerNorm("norm2", d, config.layerNormEps());
    lin1 = weights.linear("mlp.lin1", config.mlpDim(), d);
    lin2 = weights.linear("mlp.lin2", d, config.mlpDim());
    relPos = config.relativePositions() ? relativePositions(weights, config, f) : null;
  }

  private RelativePositions relativePositions(Weights weights, ViTConfig config, Functional f) {
    int stored = global ? config.positionGrid() : config.windowSize();
    int side = global ? grid : stored;
    long c = config.embedDim() / heads;
    var height = weights.tensor("attn.rel_pos_h", 2L * stored - 1, c);
    var width = weights.tensor("attn.rel_pos_w", 2L * stored - 1, c);
    return new RelativePositions(positions(height, side, f), positions(width, side, f), side, side);
  }

  /// A table of relative positions (L, C) for `side` rows or columns: (2 side - 1, C) F32.
  private static Tensor positions(Tensor table, int side, Functional f) {
    var f32 = new Functional(f.ops(), DType.Plain.F32);
    long c = table.dim(1);
    int length = 2 * side - 1;
    return Constants.resized(f32, table.reshape(1, 1, table.dim(0), c), 1, length)
        .reshape(length, c);
  }

  /// h = x + attention(norm1(x)) Wproj; y = h + gelu(norm2(h) W1) W2, all (1, G, G, D)
  Tensor forward(Functional f, Tensor x) {
    var h = f.linear(attention(f, norm1.forward(f, x)), proj, Epilogue.add(x));
    var hidden = f.linear(norm2.forward(f, h), lin1, Epilogue.of(Activation.GELU));
    return f.linear(hidden, lin2, Epilogue.add(h));
  }

  /// q, k, v = x Wqkv; softmax(q k^T / sqrt(C) + relative positions) v
  ///
  /// The reference pads x with zeros to whole windows and then multiplies it. What it gets for the
  /// padding is the bias, so that here only the image's own tokens are multiplied, (1, G, G, D).
  private Tensor attention(Functional f, Tensor x) {
    var y = f.linear(x, qkv); // (1, G, G, 3 D)
    long d = x.dim(-1);
    if (global) {
      return attend(f, y.reshape(1, (long) grid * grid, 3 * d)).reshape(1, grid, grid, d);
    }
    int window = relPos.gridHeight();
    y = attend(f, f.windowPartition(y, window, qkvBias)); // (windows, window^2, D)
    return f.windowUnpartition(y, window, 1, grid, grid);
  }

  /// q, k, v side by side in (B, T, 3 D), result (B, T, D).
  private Tensor attend(Functional f, Tensor qkv) {
    long d = qkv.dim(-1) / 3;
    var spec = AttentionSpec.full(scale);
    return f.attention(
        qkv.slice(-1, 0, d),
        qkv.slice(-1, d, 2 * d),
        qkv.slice(-1, 2 * d, 3 * d),
        heads,
        relPos == null ? spec : spec.on(relPos));
  }

  /// Of the products in one [#forward]. Attention counts in full where windows reach beyond the
  /// image, since their padding takes part in it.
  long flops() {
    long d = qkv.inFeatures();
    long side = global ? grid : relPos.gridHeight();
    long windows = global ? 1 : Math.ceilDiv(grid, side) * Math.ceilDiv(grid, side);
    long attention =
        windows * side * side * d * (2 * side * side + (relPos == null ? 0 : 2 * side));
    long linears = (long) grid * grid * d * (4 * d + 2 * lin1.outFeatures());
    return 2 * (linears + attention);
  }
}
