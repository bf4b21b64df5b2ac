package io.gatun.models.pipeline;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Runs a network that sees one image at a time for each text and each image of a batch.
final class OneByOne {
  /// Predicts for one image (H, W, C) and text: (H, W, C), F32, perhaps with gaps.
  interface Network<T> {
    Tensor predict(Tensor sample, T text);
  }

  private OneByOne() {}

  /// The predictions for each text, one after the other, each for the whole batch.
  static <T> float[] predict(
      Functional f, LatentSize size, List<T> texts, float[] latents, Network<T> network) {
    var out = new float[texts.size() * size.all()];
    int to = 0;
    for (T text : texts) {
      for (int image = 0; image < size.batch(); image++) {
        try (var _ = f.scope()) {
          var sample = f.ops().empty(size.height(), size.width(), size.channels());
          MemorySegment.copy(
              latents,
              image * size.image(),
              sample.segment(),
              ValueLayout.JAVA_FLOAT,
              0,
              size.image());
          float[] prediction = network.predict(sample, text).toFloats();
          System.arraycopy(prediction, 0, out, to, size.image());
          to += size.image();
        }
      }
    }
    return out;
  }
}
