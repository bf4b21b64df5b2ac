package io.gatun.models.sam;

import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What the mask decoder says to a batch of prompts.
///
/// @param logits (B, C, h, w) F32, contiguous: how sure the model is that a pixel belongs to the
///   object, for the padded square input; h = w = 256 in the published models. They are valid until
///   the predictor is asked again.
/// @param iouPredictions (B, C): how good the model thinks that each mask is
public record LowResMasks(Tensor logits, float[] iouPredictions) {
  /// A mask in an image's size.
  ///
  /// @param logits (h, w) F32, contiguous
  /// @param resize how the image was fitted into the model's input
  public static Mask mask(
      Tensor logits, Resize resize, int width, int height, float threshold, float score) {
    var upscaler =
        new MaskUpscaler(
            Math.toIntExact(logits.dim(1)), Math.toIntExact(logits.dim(0)), resize, width, height);
    return upscaler.run(logits.segment(), 0, threshold, 0, score, upscaler.newScratch()).mask();
  }

  /// The number of prompts.
  int prompts() {
    return Math.toIntExact(logits.dim(0));
  }

  /// The number of masks for each prompt.
  public int masksEach() {
    return Math.toIntExact(logits.dim(1));
  }

  /// Where the logits of a mask begin, in bytes; masks are counted over all prompts.
  public long offset(int mask) {
    return mask * logits.dim(2) * logits.dim(3) * Float.BYTES;
  }

  /// What makes masks of an image's size from these.
  public MaskUpscaler upscaler(EncodedImage image) {
    return new MaskUpscaler(
        Math.toIntExact(logits.dim(3)),
        Math.toIntExact(logits.dim(2)),
        image.resize(),
        image.width(),
        image.height());
  }

  /// The masks in the image's size, for each prompt.
  List<Prediction> predictions(EncodedImage image) {
    int each = masksEach();
    var masks = new Mask[prompts() * each];
    var upscaler = upscaler(image);
    image
        .workers()
        .forEach(
            masks.length,
            1,
            (_, from, to) -> {
              var scratch = upscaler.newScratch();
              for (int i = (int) from; i < to; i++) {
                float score = iouPredictions[i];
                float threshold = image.maskThreshold();
                masks[i] =
                    upscaler.run(logits.segment(), offset(i), threshold, 0, score, scratch).mask();
              }
            });
    var predictions = new ArrayList<Prediction>();
    for (int p = 0; p < prompts(); p++) {
      var low = new float[each][];
      for (int c = 0; c < each; c++) {
        low[c] = logits.get(p).get(c).toFloats();
      }
      predictions.add(new Prediction(Arrays.asList(masks).subList(p * each, (p + 1) * each), low));
    }
    return predictions;
  }
}
