package io.gatun.models.decoder;

import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.LayerState;

/// A gated convolution over the last few positions (LFM2, arXiv 2511.23404).
///
/// @param in to three times the width
/// @param taps (W, D)
/// @param bias (D), or null for none
public record ShortConvolution(Linear in, Tensor taps, Tensor bias, Linear out)
    implements TokenMixer {
  @Override
  public LayerState state() {
    return LayerState.Recurrent.of(Shape.of(taps.dim(0) - 1, taps.dim(1)));
  }

  /// b, c, v = x Win; (c * conv(b * v)) Wout
  @Override
  public Tensor forward(Ops ops, Activations x, Step step) {
    int d = Math.toIntExact(taps.dim(1));
    var bcv = Linear.parts(ops, Linear.forward(ops, x, in)[0], 1, d, d, d); // (T, D) each
    ops.mulInPlace(bcv[2], bcv[0]);
    var y = step.recurrence(ops, this).convolution(bcv[2], taps, bias, Activation.NONE);
    ops.mulInPlace(y, bcv[1]);
    return out.forward(ops, y);
  }
}
