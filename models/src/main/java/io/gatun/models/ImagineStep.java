package io.gatun.models;

import io.gatun.models.image.Image;
import java.util.List;
import java.util.function.Function;

/// A step on the way from noise to images, shown to [ImagineOptions#onStep] when it is done.
public final class ImagineStep {
  private final int index;
  private final int count;
  private final double seconds;
  private final float[] latents;
  private final Function<float[], List<Image>> preview;
  private boolean cancelled;

  ImagineStep(
      int index,
      int count,
      double seconds,
      float[] latents,
      Function<float[], List<Image>> preview) {
    this.index = index;
    this.count = count;
    this.seconds = seconds;
    this.latents = latents;
    this.preview = preview;
  }

  /// The number of the step, from 0.
  public int index() {
    return index;
  }

  /// How many steps there are.
  public int count() {
    return count;
  }

  /// How long this one took.
  public double seconds() {
    return seconds;
  }

  /// The latents after it (batch, height / 8, width / 8, channels).
  public float[] latents() {
    return latents.clone();
  }

  /// What the images look like by now: an approximation, decoded from the means of squares of
  /// latents to 128 pixels a side or less, which takes a small part of a step's time.
  public List<Image> preview() {
    return preview.apply(latents);
  }

  /// Ends the work: [StableDiffusion#imagine] throws [java.util.concurrent.CancellationException].
  public void cancel() {
    cancelled = true;
  }

  boolean isCancelled() {
    return cancelled;
  }
}
