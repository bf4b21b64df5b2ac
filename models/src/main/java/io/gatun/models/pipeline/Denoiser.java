package io.gatun.models.pipeline;

import io.gatun.tensor.ops.Functional;
import java.util.List;

/// A network that predicts, at a time, what leads from latents with noise to those of an image.
public interface Denoiser {
  /// What a run is to make.
  ///
  /// @param conditions of the prompt, after that of the negative prompt if it guides; each is for
  ///   all images of the batch
  /// @param guidance how strongly the prompt guides, for networks that are told
  /// @param timeIds SDXL's sizes: before cropping, the crop's place, and after it; each height or
  ///   top first
  /// @param seen the pictures that the network sees
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Wanted(
      List<Condition> conditions,
      LatentSize size,
      double guidance,
      double[] timeIds,
      SeenPictures seen) {
    /// The same for the prompt alone.
    public Wanted withoutNegative() {
      return new Wanted(List.of(conditions.getLast()), size, guidance, timeIds, seen);
    }
  }

  /// Where a run is.
  ///
  /// @param timestep as the scheduler counts: 0 (no noise) to 1000
  /// @param step the number of it, from 0
  /// @param steps how many there are
  record Moment(double timestep, int step, int steps) {
    /// Whether the step lies between these shares of all.
    public boolean isWithin(double start, double end) {
      return (double) step / steps >= start && (step + 1.0) / steps <= end;
    }
  }

  /// A network and what is the same in all steps of a run, which lies in the workspace.
  interface Conditioned {
    /// The predictions for each condition, one after the other, each for the whole batch.
    ///
    /// @param latents of the batch (B, H, W, C)
    float[] predict(float[] latents, Moment now);
  }

  /// Makes what is the same in all steps, for as long as the scope stays open that is open now.
  Conditioned condition(Functional f, Wanted wanted);
}
