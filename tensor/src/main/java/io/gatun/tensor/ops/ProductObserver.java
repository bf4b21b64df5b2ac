package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.util.List;

/// Sees what weights are multiplied with, and what is added up, before it is: for statistics of a
/// layer's inputs.
@FunctionalInterface
public interface ProductObserver {
  /// Products of one input are going to be computed.
  ///
  /// @param x (T, K) F32 without gaps, which is gone when the step is
  /// @param weights (N, K) each, as the model has them
  void products(Tensor x, List<Tensor> weights);

  /// `x += y` is going to be computed.
  default void sum(Tensor x, Tensor y) {}
}
