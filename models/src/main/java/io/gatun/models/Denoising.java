package io.gatun.models;

import io.gatun.models.diffusion.NormalGenerator;
import io.gatun.models.diffusion.schedulers.Scheduler;
import io.gatun.models.pipeline.Condition;
import io.gatun.models.pipeline.Denoiser;
import io.gatun.models.pipeline.Guidance;
import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.pipeline.Pipeline;
import io.gatun.models.pipeline.SeenPictures;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.concurrent.CancellationException;

/// Takes a batch of latents (B, H, W, L) from noise to images: for each timestep the network's
/// prediction, with and without the prompt where it guides, and the scheduler's step.
final class Denoising {
  /// What of an image is to stay as it is.
  ///
  /// @param latents of the whole image, for the batch
  /// @param noise that belongs to them
  /// @param repaint for each place (H, W) whether it is to be made anew
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Kept(float[] latents, float[] noise, boolean[] repaint) {}

  private final Denoiser denoiser;
  private final Guidance guidance;
  private final Functional f;
  private final Scheduler scheduler;
  private final LatentSize size;
  private final ImagineOptions options;
  private final LatentImages images;
  private int drawn;

  Denoising(
      Pipeline pipeline,
      Functional f,
      Scheduler scheduler,
      LatentSize size,
      ImagineOptions options,
      LatentImages images) {
    denoiser = pipeline.denoiser();
    guidance = pipeline.guidance(options.guidance, options.imageGuidance);
    this.f = f;
    this.scheduler = scheduler;
    this.size = size;
    this.options = options;
    this.images = images;
  }

  /// The noise to begin with.
  float[] firstNoise(List<NormalGenerator> generators) {
    drawn = 0;
    return nextNoise(generators);
  }

  /// The next noise that was given, or else that of the generators.
  private float[] nextNoise(List<NormalGenerator> generators) {
    return drawn < options.noise.length
        ? fromChannelsFirst(options.noise[drawn++])
        : noise(generators);
  }

  /// Standard normal noise for each image from its own stream, which counts the channels first.
  float[] noise(List<NormalGenerator> generators) {
    var out = new float[size.all()];
    for (int b = 0; b < size.batch(); b++) {
      fromChannelsFirst(generators.get(b).next(size.image()), 0, out, b * size.image());
    }
    return out;
  }

  /// Noise (B, L, H, W) as (B, H, W, L).
  private float[] fromChannelsFirst(float[] noise) {
    if (noise.length != size.all()) {
      throw new IllegalArgumentException(
          "%d numbers of noise; need %d: %s".formatted(noise.length, size.all(), size));
    }
    var out = new float[size.all()];
    for (int b = 0; b < size.batch(); b++) {
      fromChannelsFirst(noise, b * size.image(), out, b * size.image());
    }
    return out;
  }

  private void fromChannelsFirst(float[] from, int at, float[] to, int start) {
    int places = size.height() * size.width();
    for (int c = 0; c < size.channels(); c++) {
      for (int p = 0; p < places; p++) {
        to[start + p * size.channels() + c] = from[at + c * places + p];
      }
    }
  }

  /// Runs the scheduler's timesteps.
  ///
  /// @param start the first latents
  /// @param conditions of the prompt, after that of the negative prompt if it guides
  /// @param seen the pictures that the network sees
  /// @param kept what is not to be painted anew; null for nothing
  /// @param stepSeconds filled with each step's time
  float[] run(
      float[] start,
      List<Condition> conditions,
      SeenPictures seen,
      Kept kept,
      List<NormalGenerator> generators,
      double[] stepSeconds) {
    float[] latents = start;
    float[] timesteps = scheduler.timesteps();
    try (var _ = f.scope()) {
      var wanted = wanted(conditions, seen);
      var guided = denoiser.condition(f, wanted);
      boolean always = options.guidanceStart == 0 && options.guidanceEnd == 1;
      var alone =
          always || conditions.size() == 1
              ? guided
              : denoiser.condition(f, wanted.withoutNegative());
      var cache = new StepCache(options.cache);
      for (int i = 0; i < timesteps.length; i++) {
        long began = System.nanoTime();
        float[] scaled = scheduler.scaleModelInput(latents);
        var now = new Denoiser.Moment(timesteps[i], i, timesteps.length);
        float[] output = cache.reused(scaled, i == timesteps.length - 1);
        if (output == null) {
          boolean guides = now.isWithin(options.guidanceStart, options.guidanceEnd);
          float[] predictions = (guides ? guided : alone).predict(scaled, now);
          output = guidance.combine(predictions, size.all());
          cache.put(scaled, output);
        }
        latents = scheduler.step(output, latents, () -> nextNoise(generators));
        if (kept != null) {
          restore(latents, kept);
        }
        stepSeconds[i] = (System.nanoTime() - began) / 1e9;
        var step =
            new ImagineStep(
                i,
                timesteps.length,
                stepSeconds[i],
                latents,
                x -> images.preview(x, size.height(), size.width()));
        f.ops().owner().callback(() -> options.onStep.accept(step));
        if (step.isCancelled()) {
          throw new CancellationException(
              "cancelled after step %d of %d".formatted(i + 1, timesteps.length));
        }
      }
    }
    return latents;
  }

  private Denoiser.Wanted wanted(List<Condition> conditions, SeenPictures seen) {
    return new Denoiser.Wanted(conditions, size, options.guidance, timeIds(), seen);
  }

  /// SDXL's sizes: before cropping, the crop's place, and after it; each height or top first.
  private double[] timeIds() {
    int[] own = {size.height() * size.factor(), size.width() * size.factor()};
    int[] original = options.originalSize == null ? own : options.originalSize;
    int[] crop = options.cropTopLeft;
    int[] target = options.targetSize == null ? own : options.targetSize;
    return new double[] {original[0], original[1], crop[0], crop[1], target[0], target[1]};
  }

  /// Puts the image back where it is to be kept, with as much noise as the rest has by now.
  private void restore(float[] latents, Kept kept) {
    float[] image = scheduler.addNoise(kept.latents(), kept.noise());
    int places = size.height() * size.width();
    for (int i = 0; i < latents.length; i++) {
      if (!kept.repaint()[i / size.channels() % places]) {
        latents[i] = image[i];
      }
    }
  }
}
