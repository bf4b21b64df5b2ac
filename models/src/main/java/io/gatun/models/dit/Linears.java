package io.gatun.models.dit;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// Linear layers that have biases in some networks.
final class Linears {
  private Linears() {}

  static LinearWeight of(Weights weights, String name, long out, long in, boolean bias) {
    return weights.linears(List.of(name), out, in, bias);
  }
}
