package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.LayerState;

/// The part of a layer by which positions of a sequence know of each other: attention, a scan, a
/// convolution.
public interface TokenMixer {
  /// What it keeps of each sequence.
  LayerState state();

  /// What the rows x (T, D) of all spans of the step take from what came before them, (T, D).
  Tensor forward(Ops ops, Activations x, Step step);
}
