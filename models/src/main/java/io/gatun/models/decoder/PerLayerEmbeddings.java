package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// A small embedding of each token for each layer (Gemma 3n and 4): looked up in a table of its own
/// and made of the token's embedding.
///
/// @param table (V, L P) of any type
/// @param projection (L P, D)
/// @param norm of P numbers
/// @param size P
public record PerLayerEmbeddings(Tensor table, Linear projection, Norm norm, int size) {
  private static final float HALF = (float) Math.sqrt(0.5);

  /// Those of a model.
  ///
  /// @param vocabulary V
  public static PerLayerEmbeddings of(DecoderWeights w, Config c, int size, int vocabulary) {
    int all = c.numHiddenLayers() * size;
    return new PerLayerEmbeddings(
        w.shared(0).matrix("model.embed_tokens_per_layer", vocabulary, all),
        w.linear("model.per_layer_model_projection", all, c.hiddenSize()),
        w.rmsNorm("model.per_layer_projection_norm", size, c.normEps()),
        size);
  }

  /// (norm(x W / sqrt(D)) + embed(ids) sqrt(P)) / sqrt(2), (T, L P): x (T, D) are the embeddings.
  private Tensor inputs(Ops ops, Tensor x, int[] ids) {
    long t = x.dim(0);
    var projected = projection.forward(ops, x); // (T, L P)
    var scaled = new Norm.Scale((float) (1 / Math.sqrt(x.dim(1)))).of(ops, projected);
    var sum = norm.of(ops, scaled.reshape(scaled.size() / size, size)).reshape(t, table.dim(1));
    var looked = new Norm.Scale((float) Math.sqrt(size)).of(ops, ops.embedding(ids, table));
    ops.addInPlace(sum, looked);
    return new Norm.Scale(HALF).of(ops, sum);
  }

  /// A layer that takes in its embeddings at its end, and is then multiplied by a number.
  ///
  /// @param index of the layer
  /// @param embeddings null for a model without them, as are gate and projection
  public record Layer(
      DecoderLayer layer,
      int index,
      PerLayerEmbeddings embeddings,
      Linear gate,
      Linear projection,
      Norm norm,
      float scalar)
      implements DecoderLayer {
    /// Around a layer whose weights are `w`.
    public static Layer of(
        DecoderLayer layer, DecoderWeights w, int index, Config c, PerLayerEmbeddings e) {
      int d = c.hiddenSize();
      return new Layer(
          layer,
          index,
          e,
          e == null ? null : w.linear("per_layer_input_gate", e.size, d),
          e == null ? null : w.linear("per_layer_projection", d, e.size),
          e == null ? Norm.none() : w.rmsNorm("post_per_layer_input_norm", d, c.normEps()),
          w.has("layer_scalar") ? w.vector("layer_scalar", 1).getFloat(0) : 1);
    }

    @Override
    public List<TokenMixer> mixers() {
      return layer.mixers();
    }

    /// h = layer(x); y = (h + norm((gelu(h Wgate) * embeddings[index]) W)) * scalar
    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      var inputs =
          embeddings == null
              ? null
              : step.once(embeddings, () -> embeddings.inputs(ops, x, step.ids()));
      layer.forward(ops, x, step);
      try (var _ = ops.scope()) {
        if (inputs != null) {
          var gates =
              new Functional(ops, DType.Plain.F32)
                  .activate(gate.forward(ops, x), Activation.GELU_TANH); // (T, P)
          ops.mulInPlace(gates, columns(ops, inputs));
          ops.addInPlace(x, norm.of(ops, projection.forward(ops, gates)));
        }
        if (scalar != 1) {
          x.segment().copyFrom(new Norm.Scale(scalar).of(ops, x).segment());
        }
      }
    }

    private Tensor columns(Ops ops, Tensor inputs) {
      int p = embeddings.size;
      var own = ops.empty(inputs.dim(0), p);
      for (long t = 0; t < inputs.dim(0); t++) {
        long from = 4 * (t * inputs.dim(1) + (long) index * p);
        MemorySegment.copy(inputs.segment(), from, own.segment(), 4 * t * p, 4L * p);
      }
      return own;
    }
  }
}
