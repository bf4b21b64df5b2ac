package io.gatun.models.encoder;

import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.util.ArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// A language model that reads texts, and writes none: Qwen3-Embedding and -Reranker, of whose
/// tokens each sees those before it, and EmbeddingGemma, whose tokens see all.
///
/// Hidden states are F32; weights are multiplied as they are stored.
public record DecoderEncoder(Decoder decoder) implements TextEncoder {
  @Override
  public Tensor forward(Functional f, TokenBatch batch, Consumer<Tensor> probe) {
    var layout = decoder.layout(f.dtype());
    var spans = new ArrayList<Span>();
    var done = new AtomicInteger();
    try (var pool = new KvPool(Long.MAX_VALUE)) {
      for (int i = 0; i < batch.texts(); i++) {
        var sequence = new Sequence(pool, layout, batch.length(i));
        spans.add(new Span(batch.start(i), batch.start(i) + batch.length(i), sequence));
      }
      int[] all = IntStream.range(0, batch.tokens()).toArray();
      var hidden =
          decoder.forward(
              f.ops(),
              new Batch(batch.ids(), batch.positions(0), spans, all),
              x -> {
                if (done.getAndIncrement() < layers()) {
                  probe.accept(x);
                }
              });
      probe.accept(hidden);
      return hidden;
    }
  }

  @Override
  public int hiddenSize() {
    return decoder.config().hiddenSize();
  }

  @Override
  public int layers() {
    return decoder.config().numHiddenLayers();
  }

  @Override
  public int maxTokens() {
    return decoder.config().maxPositionEmbeddings();
  }

  /// Keys and values of all layers are held at the same time.
  @Override
  public int batchTokens() {
    return 1024;
  }
}
