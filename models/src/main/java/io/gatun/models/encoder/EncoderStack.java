package io.gatun.models.encoder;

import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/// An embedding and the layers over it, which differ between architectures.
///
/// @param ropes how the layers turn positions, if they do
/// @param finalNorm behind the last layer; null for none
record EncoderStack(
    int hiddenSize,
    int maxTokens,
    Embedding embedding,
    List<RotaryEmbedding> ropes,
    List<? extends Layer> all,
    LayerNorm finalNorm)
    implements TextEncoder {
  /// What makes the first hidden states (T, D) of a batch's tokens.
  interface Embedding {
    Tensor forward(Functional f, TokenBatch batch);
  }

  /// What makes new hidden states (T, D) of those before.
  interface Layer {
    Tensor forward(Functional f, Tensor x, Texts texts);
  }

  /// What the layers share in one forward pass: where each text lies, and how far each of its
  /// tokens is turned.
  record Texts(TokenBatch batch, IdentityHashMap<RotaryEmbedding, RotaryEmbedding.Table> tables) {
    RotaryEmbedding.Table table(RotaryEmbedding rope) {
      return tables.get(rope);
    }
  }

  /// x = embedding(ids); x = layer(x) for each layer; finalNorm(x)
  @Override
  public Tensor forward(Functional f, TokenBatch texts, Consumer<Tensor> probe) {
    var batch = texts.rounded();
    int rows = texts.tokens();
    return states(f, batch, x -> probe.accept(x.slice(0, 0, rows))).slice(0, 0, rows);
  }

  private Tensor states(Functional f, TokenBatch batch, Consumer<Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var tables = new IdentityHashMap<RotaryEmbedding, RotaryEmbedding.Table>();
          for (var rope : ropes) {
            tables.put(rope, rope.table(f.ops(), batch.positions(0)));
          }
          var texts = new Texts(batch, tables);
          var x = Scoped.call(f, () -> embedding.forward(f, batch)); // (T, D)
          probe.accept(x);
          return Scoped.chain(
              f,
              x,
              IntStream.range(0, layers())
                  .<UnaryOperator<Tensor>>mapToObj(
                      i ->
                          in -> {
                            var out = layer(f, i, in, texts);
                            probe.accept(out);
                            return out;
                          })
                  .toList());
        });
  }

  private Tensor layer(Functional f, int i, Tensor x, Texts texts) {
    var out = all.get(i).forward(f, x, texts);
    return i == layers() - 1 && finalNorm != null ? finalNorm.forward(f, out) : out;
  }

  @Override
  public int layers() {
    return all.size();
  }
}
