package io.gatun.models.quantize;

import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;
import java.util.function.Function;

/// Rounds a model's matrices layer by layer, as calibration texts weigh them.
public sealed interface CalibratedRounding extends AutoCloseable
    permits ActivationAware, LayerByLayer {
  /// Quantizes the targets of the next layer.
  ///
  /// @param with the model with these tensors of the layer in place of its own, and with the
  ///   results of earlier layers
  /// @param out where the results are
  /// @return by their names the targets that texts have reached, and vectors that are changed with
  ///   them: an expert that no token has chosen is not among them
  Map<String, Tensor> quantize(int layer, Function<Map<String, Tensor>, Decoder> with, Arena out);

  /// Leads the texts through a layer.
  ///
  /// @param quantized the model in which it is quantized
  void advance(Decoder quantized, int layer);

  @Override
  void close();
}
