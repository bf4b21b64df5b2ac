package io.gatun.models.nn;

import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;

/// Gives a network its tensors by the reference implementation's names.
public interface TensorSource {
  /// The shape of a tensor; null if there is none of that name.
  Shape shape(String name);

  /// A contiguous tensor of a shape.
  ///
  /// @param reason why it needs that shape: `cross_attention_dim=768 in config.json`
  /// @throws io.gatun.loaders.CheckpointException if it is missing, has another shape, or Gatun
  ///   cannot compute with its type
  Tensor tensor(String name, Shape shape, String reason);

  /// Where they come from, for messages.
  String where();
}
