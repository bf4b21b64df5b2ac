package io.gatun.models.sam;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.tensor.runtime.Workers;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// An image that a model has looked at once; prompts about it take milliseconds then.
///
/// Calls from several threads take turns, with each other and with the predictor's that it comes
/// from.
public interface EncodedImage extends AutoCloseable {
  /// The image's width in pixels, before it was resized for the model.
  int width();

  /// The image's height in pixels, before it was resized for the model.
  int height();

  /// How the image was fitted into the square that the model looks at.
  Resize resize();

  /// The side of the square of low-resolution logits, 256 in the published models.
  int maskSize();

  /// The logit above which a pixel belongs to a mask: 0 in all published models.
  float maskThreshold();

  /// Answers a batch of prompts that have the same form: as many points in each, and all or none
  /// with a box or with a mask.
  ///
  /// @param prompts B prompts in pixels of the image, all of them inside it
  /// @param multimaskOutput whether each gets C = 3 masks (whole, part, part of a part) or one
  LowResMasks decode(List<Prompt> prompts, boolean multimaskOutput);

  /// Answers a prompt with three masks, of which [Prediction#best] is the best.
  ///
  /// @throws IllegalArgumentException if the prompt is empty or reaches outside the image
  default Prediction predict(Prompt prompt) {
    Objects.requireNonNull(prompt, "the prompt is null");
    return predict(List.of(prompt), true).getFirst();
  }

  /// Answers prompts in one go; they must have the same form, see [#decode].
  ///
  /// @param multimaskOutput whether each gets three masks, which suits a single point, or one
  /// @return a prediction for each prompt
  /// @throws IllegalArgumentException if a prompt is empty or reaches outside the image, or they
  ///   have not the same form
  default List<Prediction> predict(List<Prompt> prompts, boolean multimaskOutput) {
    if (prompts.isEmpty()) {
      throw new IllegalArgumentException("there are no prompts; give at least one");
    }
    for (Prompt prompt : prompts) {
      prompt.check(prompts.getFirst(), width(), height());
    }
    try (var _ = workers().owner().turn()) {
      return decode(prompts, multimaskOutput).predictions(this);
    }
  }

  /// Logits for a mask of this image, as [Prompt#withMask] takes them: 10 on the object, -10
  /// elsewhere and on the padding, and something between along the seam.
  ///
  /// @throws IllegalArgumentException if the mask has not the image's size
  default float[] logitsOf(Mask mask) {
    mask.checkSize(width(), height());
    int side = maskSize();
    var fit = new Resize(side, resize().keepsProportion());
    int w = fit.width(width(), height());
    int h = fit.height(width(), height());
    Image small;
    try (var _ = workers().owner().turn()) {
      small = mask.toImage().resize(w, h, Filter.BILINEAR, workers());
    }
    var logits = new float[side * side];
    Arrays.fill(logits, -10);
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        logits[y * side + x] = small.get(x, y, 0) / 255f * 20 - 10;
      }
    }
    return logits;
  }

  /// The threads that the model computes on.
  Workers workers();

  /// Gives the embedding's memory back; a second call does nothing.
  @Override
  void close();
}
