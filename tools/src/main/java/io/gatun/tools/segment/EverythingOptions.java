package io.gatun.tools.segment;

import io.gatun.models.sam.config.MaskGeneratorOptions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/// The options of the automatic mask generator: the reference's names, and its defaults where the
/// model brings no others.
public final class EverythingOptions {
  /// How masks are written.
  public enum OutputMode {
    BINARY_MASK,
    UNCOMPRESSED_RLE,
    COCO_RLE
  }

  /// What to do where no mask is found.
  static final String NONE =
      "no mask is as good as asked for. Ask for less, for instance with --pred-iou-thresh 0.5"
          + " --stability-score-thresh 0.7";

  @Option(
      names = {"-e", "--everything"},
      description = "Find all objects, instead of one that is pointed at.")
  boolean everything;

  @Option(
      names = "--points-per-side",
      paramLabel = "N",
      description = "Ask at N x N points (default: 32, or what suits the model).")
  private Integer pointsPerSide;

  @Option(
      names = "--points-per-batch",
      paramLabel = "N",
      description = "Points that are asked for at a time (default: 64).")
  private Integer pointsPerBatch;

  @Option(
      names = "--pred-iou-thresh",
      paramLabel = "X",
      description =
          "Keep masks that the model thinks to be better than this (default: 0.88, or what suits"
              + " the model).")
  private Float predIouThresh;

  @Option(
      names = "--stability-score-thresh",
      paramLabel = "X",
      description = "Keep masks at least this stable (default: 0.95, or what suits the model).")
  private Float stabilityScoreThresh;

  @Option(
      names = "--stability-score-offset",
      paramLabel = "X",
      description = "How far the threshold is moved to see how stable (default: 1.0).")
  private Float stabilityScoreOffset;

  @Option(
      names = "--box-nms-thresh",
      paramLabel = "X",
      description =
          "Drop masks whose box overlaps a better one's by more (default: 0.7, or"
              + " what suits the model).")
  private Float boxNmsThresh;

  @Option(
      names = "--crop-n-layers",
      paramLabel = "N",
      description = "Look again at quarters, sixteenths, ... of the image (default: 0 times).")
  private Integer cropNLayers;

  @Option(
      names = "--crop-nms-thresh",
      paramLabel = "X",
      description = "The same as --box-nms-thresh among masks of different parts (default: 0.7).")
  private Float cropNmsThresh;

  @Option(
      names = "--crop-overlap-ratio",
      paramLabel = "X",
      description =
          "How much the parts overlap, as a share of the shorter side (default: 512/1500).")
  private Double cropOverlapRatio;

  @Option(
      names = "--crop-n-points-downscale-factor",
      paramLabel = "N",
      description = "Ask at N times fewer points a side in each layer of parts (default: 1).")
  private Integer cropNPointsDownscaleFactor;

  @Option(
      names = "--min-mask-region-area",
      paramLabel = "N",
      description =
          "Remove holes and islands of fewer pixels (default: 0, or what suits the model).")
  private Integer minMaskRegionArea;

  @Option(
      names = "--output-mode",
      paramLabel = "binary_mask|uncompressed_rle|coco_rle",
      description =
          "What --out is: a folder of PNG files with a metadata.csv (the default), or a JSON file"
              + " of run lengths, as numbers or compressed.")
  private OutputMode outputMode;

  OutputMode outputMode() {
    return outputMode == null ? OutputMode.BINARY_MASK : outputMode;
  }

  /// Refuses parameters of the generator where it is not asked for.
  void check(CommandLine command) {
    if (!everything && (!given().isEmpty() || outputMode != null)) {
      throw new ParameterException(
          command, "The parameters of the mask generator need --everything");
    }
  }

  /// What is given of the generator's parameters, by the reference's names.
  Map<String, Number> given() {
    var all = new LinkedHashMap<String, Number>();
    all.put("points_per_side", pointsPerSide);
    all.put("points_per_batch", pointsPerBatch);
    all.put("pred_iou_thresh", predIouThresh);
    all.put("stability_score_thresh", stabilityScoreThresh);
    all.put("stability_score_offset", stabilityScoreOffset);
    all.put("box_nms_thresh", boxNmsThresh);
    all.put("crop_n_layers", cropNLayers);
    all.put("crop_nms_thresh", cropNmsThresh);
    all.put("crop_overlap_ratio", cropOverlapRatio);
    all.put("crop_n_points_downscale_factor", cropNPointsDownscaleFactor);
    all.put("min_mask_region_area", minMaskRegionArea);
    all.values().removeIf(Objects::isNull);
    return all;
  }

  void configure(MaskGeneratorOptions o) {
    if (pointsPerSide != null) {
      o.pointsPerSide(pointsPerSide);
    }
    if (pointsPerBatch != null) {
      o.pointsPerBatch(pointsPerBatch);
    }
    if (predIouThresh != null) {
      o.predIouThresh(predIouThresh);
    }
    if (stabilityScoreThresh != null) {
      o.stabilityScoreThresh(stabilityScoreThresh);
    }
    if (stabilityScoreOffset != null) {
      o.stabilityScoreOffset(stabilityScoreOffset);
    }
    if (boxNmsThresh != null) {
      o.boxNmsThresh(boxNmsThresh);
    }
    if (cropNLayers != null) {
      o.cropNLayers(cropNLayers);
    }
    if (cropNmsThresh != null) {
      o.cropNmsThresh(cropNmsThresh);
    }
    if (cropOverlapRatio != null) {
      o.cropOverlapRatio(cropOverlapRatio);
    }
    if (cropNPointsDownscaleFactor != null) {
      o.cropNPointsDownscaleFactor(cropNPointsDownscaleFactor);
    }
    if (minMaskRegionArea != null) {
      o.minMaskRegionArea(minMaskRegionArea);
    }
  }
}
