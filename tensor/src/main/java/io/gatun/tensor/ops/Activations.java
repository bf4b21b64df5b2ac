package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.linear.Input;

/// The input (T, K) of products with weights, in the forms that kernels want. Each is made once,
/// when first asked for, in the step's workspace: use it in the scope in which it was made.
public final class Activations {
  private final Input input;

  Activations(Input input) {
    this.input = input;
  }

  Input input() {
    return input;
  }

  /// T.
  public int rows() {
    return input.rows();
  }

  /// K.
  public int columns() {
    return input.columns();
  }

  /// The input as a tensor (T, K), F32.
  public Tensor tensor() {
    return input.tensor();
  }
}
