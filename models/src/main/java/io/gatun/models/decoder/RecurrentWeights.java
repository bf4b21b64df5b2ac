package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// The small tensors of recurrent layers, which formats keep in various forms.
public record RecurrentWeights(DecoderWeights weights) {
  /// The taps (W, N) of a convolution of N channels, whose weight lies as (N, 1, W), or (N, W).
  public Tensor taps(String name, int channels, int width) {
    String full = name + ".weight";
    var t =
        weights.isGguf()
            ? weights.floats(full, channels, width)
            : weights.floats(full, channels, 1, width).reshape(channels, width);
    return t.transpose(0, 1).copy(Arena.ofAuto());
  }

  /// One number for each head, which GGUF may keep as a column.
  public Tensor heads(String name, int heads, boolean column) {
    return column && weights.isGguf()
        ? weights.floats(name, heads, 1).reshape(heads)
        : weights.vector(name, heads);
  }

  /// What the logarithm of a step's decay is a multiple of: Hugging Face keeps `log(-a)`.
  public Tensor decay(String name, int heads, boolean column) {
    var a = heads(name, heads, column);
    return weights.isGguf() ? a : a.map(v -> -Math.exp(v));
  }
}
