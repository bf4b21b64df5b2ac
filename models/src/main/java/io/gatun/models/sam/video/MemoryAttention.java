package io.gatun.models.sam.video;

import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// A transformer in which a frame's tokens look at each other and at memories. Where tokens are,
/// they know by rotation (RoPE), half of their channels by columns and half by rows; memories of
/// frames are turned likewise, pointers are not.
final class MemoryAttention {
  /// PyTorch's default.
  private static final float LAYER_NORM_EPS = 1e-5f;

  private static final double ROPE_THETA = 10000;

  /// How much of the positions is added to the frame's tokens.
  private static final float POSITIONS = 0.1f;

  private final List<Layer> layers = new ArrayList<>();
  private final LayerNorm norm;
  private final Tensor positions; // (G G, C)
  private final Tensor cos; // (G G, C) F32
  private final Tensor sin;
  private final AttentionSpec spec;

  /// Of the attention to memories: values are projected after it, together with the result, since
  /// weights that add up to 1 leave the order free, and memories have fewer channels.
  private record Layer(
      LayerNorm norm1,
      LinearWeight selfQ,
      LinearWeight selfK,
      LinearWeight selfV,
      LinearWeight selfOut,
      LayerNorm norm2,
      LinearWeight crossQ,
      LinearWeight crossK,
      LinearWeight crossOut,
      LayerNorm norm3,
      LinearWeight linear1,
      LinearWeight linear2) {}

  MemoryAttention(Weights weights, SamConfig config, int memDim, Functional f) {
    long c = config.outChans();
    spec = AttentionSpec.full((float) (1 / Math.sqrt(c)));
    for (int i = 0; weights.has("layers.%d.norm1.weight".formatted(i)); i++) {
      layers.add(layer(weights.at("layers", i), c, memDim, f));
    }
    norm = weights.layerNorm("norm", c, LAYER_NORM_EPS);
    int grid = config.grid();
    positions =
        Constants.keep(f, () -> f.scale(f.cast(SinePositions.ofCells(grid, (int) c)), POSITIONS));
    var cosines = new float[grid * grid * (int) c];
    var sines = new float[cosines.length];
    int pairs = (int) c / 4; // by columns, and as many by rows
    for (int i = 0; i < cosines.length; i++) {
      int token = (int) (i / c);
      int pair = (int) (i % c) / 2;
      int place = pair < pairs ? token % grid : token / grid;
      double angle = place / Math.pow(ROPE_THETA, pair % pairs / (double) pairs);
      cosines[i] = (float) Math.cos(angle);
      sines[i] = (float) (i % 2 == 0 ? -Math.sin(angle) : Math.sin(angle));
    }
    var arena = Arena.ofAuto();
    cos = Tensor.ofFloats(arena, cosines, (long) grid * grid, c);
    sin = Tensor.ofFloats(arena, sines, (long) grid * grid, c);
  }

  private static Layer layer(Weights w, long c, long memDim, Functional f) {
    var self = w.at("self_attn");
    var cross = w.at("cross_attn_image");
    long hidden = w.shape("linear1.weight").dim(0);
    return new Layer(
        w.layerNorm("norm1", c, LAYER_NORM_EPS),
        self.linear("q_proj", c, c),
        self.linear("k_proj", c, c),
        self.linear("v_proj", c, c),
        self.linear("out_proj", c, c),
        w.layerNorm("norm2", c, LAYER_NORM_EPS),
        cross.linear("q_proj", c, c),
        cross.linear("k_proj", c, memDim),
        Constants.chain(f, cross.linear("v_proj", c, memDim), cross.linear("out_proj", c, c)),
        w.layerNorm("norm3", c, LAYER_NORM_EPS),
        w.linear("linear1", hidden, c),
        w.linear("linear2", c, hidden));
  }

  /// x (1, G G, C), result (1, G G, C).
  ///
  /// @param memory (1, S, M)
  /// @param keys the same with where and when (1, S, M)
  /// @param spatial how many of them are of frames' cells, all cells of each
  Tensor forward(Functional f, Tensor x, Tensor memory, Tensor keys, long spatial) {
    var y = f.add(x, positions);
    for (var layer : layers) {
      var n = layer.norm1.forward(f, y);
      var self =
          f.attention(
              turned(f, f.linear(n, layer.selfQ), n.dim(1)),
              turned(f, f.linear(n, layer.selfK), n.dim(1)),
              f.linear(n, layer.selfV),
              1,
              spec);
      y = f.linear(self, layer.selfOut, Epilogue.add(y));
      n = layer.norm2.forward(f, y);
      var cross =
          f.attention(
              turned(f, f.linear(n, layer.crossQ), n.dim(1)),
              turned(f, f.linear(keys, layer.crossK), spatial),
              memory,
              1,
              spec);
      y = f.linear(cross, layer.crossOut, Epilogue.add(y));
      var hidden = f.linear(layer.norm3.forward(f, y), layer.linear1, Epilogue.of(Activation.RELU));
      y = f.linear(hidden, layer.linear2, Epilogue.add(y));
    }
    return norm.forward(f, y);
  }

  /// Turns the first `rows` rows of x (1, T, C), grid by grid.
  private Tensor turned(Functional f, Tensor x, long rows) {
    var y = f.toF32(x);
    long cells = cos.dim(0);
    for (long from = 0; from < rows; from += cells) {
      var grid = y.get(0).slice(0, from, from + cells);
      f.ops().rope(grid.reshape(cells, 1, grid.dim(1)), cos, sin, true);
    }
    return f.dtype() == DType.Plain.F32 ? y : f.cast(y);
  }
}
