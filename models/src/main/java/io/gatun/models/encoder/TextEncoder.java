package io.gatun.models.encoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.function.Consumer;

/// A network that reads whole texts: each token sees those before and after it.
public interface TextEncoder {
  /// The hidden states (T, D) after the last layer, from the workspace: close a scope around their
  /// use.
  ///
  /// @throws IndexOutOfBoundsException if a token is not one of the embedding's
  default Tensor forward(Functional f, TokenBatch batch) {
    return forward(f, batch, x -> {});
  }

  /// As [#forward(Functional, TokenBatch)], showing `probe` the hidden states (T, D) after the
  /// embedding and after each layer.
  Tensor forward(Functional f, TokenBatch batch, Consumer<Tensor> probe);

  /// D.
  int hiddenSize();

  /// The number of layers.
  int layers();

  /// The most tokens of a text.
  int maxTokens();

  /// The tokens that are worth reading at a time: so many that their states stay in the caches.
  default int batchTokens() {
    return 4096;
  }
}
