package io.gatun.models.nn;

import io.gatun.tensor.Tensor;

/// Changes the weights of linear layers and convolutions as a network is loaded, as a low-rank
/// adaptation does.
@FunctionalInterface
public interface WeightMerge {
  /// Changes nothing.
  WeightMerge NONE = (name, weight) -> weight;

  /// What to use for a weight.
  ///
  /// @param name in the reference implementation's spelling, whatever the file's:
  ///   `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight`
  /// @param weight (N, K) of a linear layer, (O, I, kernelHeight, kernelWidth) of a convolution
  /// @return `weight` itself, or a tensor of the same shape that lives as long as the network
  Tensor merge(String name, Tensor weight);
}
