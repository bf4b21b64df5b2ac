package io.gatun.models.sam.config;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/// How the automatic mask generator works: `o -> o.pointsPerSide(16).predIouThresh(0.8f)`.
///
/// Names and defaults are those of the reference, which chose the defaults for ViT-H; a model may
/// bring others in its configuration, under `mask_generator`. The reference's `output_mode` is not
/// among them: a mask that was found gives itself in all three forms.
public final class MaskGeneratorOptions {
  /// What was chosen, each as the setter of its name says.
  ///
  /// @param pointGrids null for those of `pointsPerSide`
  public record Values(
      int pointsPerSide,
      int pointsPerBatch,
      float predIouThresh,
      float stabilityScoreThresh,
      float stabilityScoreOffset,
      float boxNmsThresh,
      int cropNLayers,
      float cropNmsThresh,
      double cropOverlapRatio,
      int cropNPointsDownscaleFactor,
      List<double[]> pointGrids,
      int minMaskRegionArea) {}

  private int pointsPerSide = 32;
  private int pointsPerBatch = 64;
  private float predIouThresh = 0.88f;
  private float stabilityScoreThresh = 0.95f;
  private float stabilityScoreOffset = 1;
  private float boxNmsThresh = 0.7f;
  private int cropNLayers;
  private float cropNmsThresh = 0.7f;
  private double cropOverlapRatio = 512.0 / 1500;
  private int cropNPointsDownscaleFactor = 1;
  private List<double[]> pointGrids;
  private int minMaskRegionArea;

  /// @param defaults of a model, by the reference's names
  /// @throws IllegalArgumentException if there is no parameter of such a name, or it cannot have
  ///   that value
  public MaskGeneratorOptions(Map<String, Double> defaults) {
    defaults.forEach(
        (name, value) -> {
          float number = value.floatValue();
          switch (name) {
            case "points_per_side" -> pointsPerSide(value.intValue());
            case "points_per_batch" -> pointsPerBatch(value.intValue());
            case "pred_iou_thresh" -> predIouThresh(number);
            case "stability_score_thresh" -> stabilityScoreThresh(number);
            case "stability_score_offset" -> stabilityScoreOffset(number);
            case "box_nms_thresh" -> boxNmsThresh(number);
            case "crop_n_layers" -> cropNLayers(value.intValue());
            case "crop_nms_thresh" -> cropNmsThresh(number);
            case "crop_overlap_ratio" -> cropOverlapRatio(value);
            case "crop_n_points_downscale_factor" -> cropNPointsDownscaleFactor(value.intValue());
            case "min_mask_region_area" -> minMaskRegionArea(value.intValue());
            default ->
                throw new IllegalArgumentException(
                    "the mask generator has no parameter \"%s\"".formatted(name));
          }
        });
  }

  /// Points along each side of the image; by default 32, 1024 in all.
  public MaskGeneratorOptions pointsPerSide(int value) {
    if (value < 1 || value > 1024) {
      throw new IllegalArgumentException("pointsPerSide is " + value + "; need 1 to 1024");
    }
    pointsPerSide = value;
    return this;
  }

  /// Points that the model answers at a time; by default 64. It changes only time and memory.
  public MaskGeneratorOptions pointsPerBatch(int value) {
    pointsPerBatch = atLeast(1, value, "pointsPerBatch");
    return this;
  }

  /// Masks must be better than this in the model's own opinion, if it is more than 0; by default
  /// 0.88.
  public MaskGeneratorOptions predIouThresh(float value) {
    predIouThresh = number(value, "predIouThresh");
    return this;
  }

  /// Masks must be this stable when the threshold moves, if it is more than 0; by default 0.95.
  public MaskGeneratorOptions stabilityScoreThresh(float value) {
    stabilityScoreThresh = number(value, "stabilityScoreThresh");
    return this;
  }

  /// How far the threshold moves to measure stability, in logits; by default 1.
  public MaskGeneratorOptions stabilityScoreOffset(float value) {
    stabilityScoreOffset = number(value, "stabilityScoreOffset");
    return this;
  }

  /// Of masks whose boxes overlap by more than this only the best is kept; by default 0.7.
  public MaskGeneratorOptions boxNmsThresh(float value) {
    boxNmsThresh = number(value, "boxNmsThresh");
    return this;
  }

  /// How many times the image is also looked at in parts: 4 of them the first time, then 16, ...;
  /// by default 0.
  public MaskGeneratorOptions cropNLayers(int value) {
    if (value < 0 || value > 8) {
      throw new IllegalArgumentException("cropNLayers is " + value + "; need 0 to 8");
    }
    cropNLayers = value;
    return this;
  }

  /// Like [#boxNmsThresh], among masks of different parts; by default 0.7.
  public MaskGeneratorOptions cropNmsThresh(float value) {
    cropNmsThresh = number(value, "cropNmsThresh");
    return this;
  }

  /// How much the first parts overlap, as a share of the image's shorter side; by default 512 /
  /// 1500.
  public MaskGeneratorOptions cropOverlapRatio(double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(
          "cropOverlapRatio is " + value + "; need at least 0 and less than 1");
    }
    cropOverlapRatio = value;
    return this;
  }

  /// How many times fewer points each layer of parts has along a side than the one before; by
  /// default 1, as many.
  public MaskGeneratorOptions cropNPointsDownscaleFactor(int value) {
    cropNPointsDownscaleFactor = atLeast(1, value, "cropNPointsDownscaleFactor");
    return this;
  }

  /// Points of your own in place of [#pointsPerSide]: for the image and each layer of parts x and y
  /// by turns, in 0 .. 1 of width and height.
  public MaskGeneratorOptions pointGrids(List<double[]> value) {
    if (Objects.requireNonNull(value, "pointGrids is null").isEmpty()) {
      throw new IllegalArgumentException("pointGrids has no grid; need one for the image");
    }
    for (double[] grid : value) {
      if (grid.length == 0 || grid.length % 2 != 0) {
        throw new IllegalArgumentException(
            "a grid of " + grid.length + " numbers; need x and y of at least one point");
      }
      for (double v : grid) {
        if (!(v >= 0 && v < 1)) {
          throw new IllegalArgumentException(
              "a grid has the coordinate " + v + "; need at least 0 and less than 1");
        }
      }
    }
    pointGrids = value.stream().map(double[]::clone).toList();
    return this;
  }

  /// Holes and islands of fewer pixels than this are removed; by default 0, none.
  public MaskGeneratorOptions minMaskRegionArea(int value) {
    minMaskRegionArea = atLeast(0, value, "minMaskRegionArea");
    return this;
  }

  /// All of them as they are now.
  public Values values() {
    return new Values(
        pointsPerSide,
        pointsPerBatch,
        predIouThresh,
        stabilityScoreThresh,
        stabilityScoreOffset,
        boxNmsThresh,
        cropNLayers,
        cropNmsThresh,
        cropOverlapRatio,
        cropNPointsDownscaleFactor,
        pointGrids,
        minMaskRegionArea);
  }

  private static int atLeast(int least, int value, String name) {
    if (value < least) {
      throw new IllegalArgumentException(name + " is " + value + "; need at least " + least);
    }
    return value;
  }

  private static float number(float value, String name) {
    if (Float.isNaN(value)) {
      throw new IllegalArgumentException(name + " is not a number");
    }
    return value;
  }
}
