package io.gatun.models.unet;

import io.gatun.tensor.Tensor;
import java.util.Map;

/// What is the same in all steps of a batch of images: made by [UNet2DConditionModel#condition],
/// valid until the scope is closed that was open then.
public final class Conditioning {
  private final int batch;
  private final Map<CrossAttention, Tensor> keysAndValues;
  private final Tensor embedding;
  private final Tensor guidance;

  Conditioning(
      int batch, Map<CrossAttention, Tensor> keysAndValues, Tensor embedding, Tensor guidance) {
    this.batch = batch;
    this.keysAndValues = keysAndValues;
    this.embedding = embedding;
    this.guidance = guidance;
  }

  /// The number of images.
  public int batch() {
    return batch;
  }

  Tensor keysAndValues(CrossAttention attention) {
    return keysAndValues.get(attention);
  }

  /// What is added to the time embedding (B, E); null for nothing.
  Tensor embedding() {
    return embedding;
  }

  /// The embedded guidance scale (B, G); null for none.
  Tensor guidance() {
    return guidance;
  }
}
