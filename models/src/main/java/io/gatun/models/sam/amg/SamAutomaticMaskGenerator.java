package io.gatun.models.sam.amg;

import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.MaskUpscaler;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Rle;
import io.gatun.models.sam.config.MaskGeneratorOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.ToDoubleFunction;

/// Finds all objects of an image: asks the model for the masks at a grid of points, and drops what
/// is poor, unstable, or there twice.
///
/// ```java
/// var masks = new SamAutomaticMaskGenerator(sam, o -> o.pointsPerSide(16)).generate(image);
/// ```
///
/// Source: `segment_anything/automatic_mask_generator.py`. Masks are held as run lengths; of a
/// batch of points only the low-resolution logits exist at a time. Several threads may use it if
/// they may use the predictor; they take turns batch by batch.
public final class SamAutomaticMaskGenerator {
  /// Hears how far the work is.
  @FunctionalInterface
  public interface Progress {
    /// `done` points of `total` are asked for.
    void update(int done, int total);
  }

  /// A mask on its way; its box is x0, y0, x1, y1, and so is its crop's.
  private record Candidate(
      Rle rle, int[] box, float iou, float stability, double x, double y, int[] crop) {
    MaskAnnotation toAnnotation() {
      return new MaskAnnotation(
          rle, Boxes.toXywh(box), iou, new double[] {x, y}, stability, Boxes.toXywh(crop));
    }
  }

  private final MaskPredictor predictor;
  private final MaskGeneratorOptions.Values options;
  private final List<double[]> grids;

  /// With the parameters that suit the model: the reference's, unless its configuration has others.
  public SamAutomaticMaskGenerator(MaskPredictor predictor) {
    this(predictor, o -> {});
  }

  /// With parameters of one's own.
  ///
  /// @throws IllegalArgumentException if they do not fit together
  public SamAutomaticMaskGenerator(MaskPredictor predictor, Consumer<MaskGeneratorOptions> choose) {
    this.predictor = Objects.requireNonNull(predictor, "the predictor is null");
    var chosen = new MaskGeneratorOptions(predictor.maskGeneratorDefaults());
    Objects.requireNonNull(choose, "what chooses the options is null").accept(chosen);
    options = chosen.values();
    grids = PointGrids.of(options);
  }

  /// The masks of an image, in the order of the reference: from the best to the worst, or, where
  /// parts of the image were looked at too, from the smallest part to the whole.
  public List<MaskAnnotation> generate(Image image) {
    return generate(image, (_, _) -> {});
  }

  /// The masks of an image; `progress` hears of every batch of points.
  ///
  /// @throws IllegalArgumentException if the image is too small for so many layers of parts
  public List<MaskAnnotation> generate(Image image, Progress progress) {
    Objects.requireNonNull(image, "the image is null");
    return findInCrops(image, progress).stream().map(Candidate::toAnnotation).toList();
  }

  private List<Candidate> findInCrops(Image image, Progress progress) {
    int width = image.width();
    int height = image.height();
    var crops = CropBox.generate(width, height, options.cropNLayers(), options.cropOverlapRatio());
    int total = crops.stream().mapToInt(c -> grids.get(c.layer()).length / 2).sum();
    var found = new ArrayList<Candidate>();
    int done = 0;
    for (CropBox crop : crops) {
      int before = done;
      found.addAll(findInCrop(image, crop, n -> progress.update(before + n, total)));
      done += grids.get(crop.layer()).length / 2;
    }
    List<Candidate> kept = found;
    if (crops.size() > 1) {
      // Masks from smaller parts are preferred.
      kept = suppress(found, scores(found, c -> 1f / Boxes.area(c.crop)), options.cropNmsThresh());
    }
    return options.minMaskRegionArea() > 0 ? withoutSmallRegions(kept) : kept;
  }

  private List<Candidate> findInCrop(Image image, CropBox crop, IntConsumer done) {
    int[] box = crop.box();
    int width = box[2] - box[0];
    int height = box[3] - box[1];
    boolean whole = width == image.width() && height == image.height();
    double[] grid = grids.get(crop.layer());
    int points = grid.length / 2;
    var found = new ArrayList<Candidate>();
    try (var encoded = predictor.encode(whole ? image : crop(image, box))) {
      for (int from = 0; from < points; from += options.pointsPerBatch()) {
        int to = Math.min(points, from + options.pointsPerBatch());
        var batch = new double[2 * (to - from)];
        for (int i = 0; i < batch.length; i++) {
          batch[i] = grid[2 * from + i] * (i % 2 == 0 ? width : height);
        }
        found.addAll(findAtPoints(encoded, batch, image, box));
        done.accept(to);
      }
    }
    return suppress(found, scores(found, Candidate::iou), options.boxNmsThresh());
  }

  private static Image crop(Image image, int[] box) {
    if (box[0] >= box[2] || box[1] >= box[3]) {
      throw new IllegalArgumentException(image + " is too small for so many layers of parts");
    }
    return image.crop(box[0], box[1], box[2], box[3]);
  }

  /// The masks at some points, x and y by turns, in pixels of the crop.
  private List<Candidate> findAtPoints(
      EncodedImage encoded, double[] points, Image image, int[] crop) {
    var prompts = new ArrayList<Prompt>();
    for (int i = 0; i < points.length; i += 2) {
      prompts.add(Prompt.point((float) points[i], (float) points[i + 1]));
    }
    try (var _ = encoded.workers().owner().turn()) {
      return judged(encoded, encoded.decode(prompts, true), points, image, crop);
    }
  }

  private List<Candidate> judged(
      EncodedImage encoded, LowResMasks low, double[] points, Image image, int[] crop) {
    var upscaler = low.upscaler(encoded);
    var found = new Candidate[low.iouPredictions().length];
    encoded
        .workers()
        .forEach(
            found.length,
            1,
            (_, from, to) -> {
              MaskUpscaler.Scratch scratch = null;
              for (int i = (int) from; i < to; i++) {
                float iou = low.iouPredictions()[i];
                if (options.predIouThresh() > 0 && !(iou > options.predIouThresh())) {
                  continue;
                }
                scratch = scratch == null ? upscaler.newScratch() : scratch;
                var result =
                    upscaler.run(
                        low.logits().segment(),
                        low.offset(i),
                        encoded.maskThreshold(),
                        options.stabilityScoreOffset(),
                        iou,
                        scratch);
                int point = i / low.masksEach();
                found[i] = judge(result, points[2 * point], points[2 * point + 1], image, crop);
              }
            });
    return Arrays.stream(found).filter(Objects::nonNull).toList();
  }

  /// The mask in the image's coordinates, or null if it is unstable or cut off by its crop's edge.
  private Candidate judge(MaskUpscaler.Result result, double x, double y, Image image, int[] crop) {
    if (options.stabilityScoreThresh() > 0
        && !(result.stability() >= options.stabilityScoreThresh())) {
      return null;
    }
    Mask mask = result.mask();
    int[] box = mask.box();
    if (Boxes.isNearCropEdge(box, crop, image.width(), image.height())) {
      return null;
    }
    return new Candidate(
        mask.uncrop(crop[0], crop[1], image.width(), image.height()).rle(),
        Boxes.uncrop(box, crop),
        mask.score(),
        result.stability(),
        x + crop[0],
        y + crop[1],
        crop);
  }

  /// Drops those whose boxes overlap a better one's; the others come by falling score.
  private static List<Candidate> suppress(List<Candidate> found, float[] scores, float threshold) {
    int[][] boxes = found.stream().map(Candidate::box).toArray(int[][]::new);
    return Arrays.stream(Boxes.nms(boxes, scores, threshold)).mapToObj(found::get).toList();
  }

  private static float[] scores(List<Candidate> found, ToDoubleFunction<Candidate> score) {
    var scores = new float[found.size()];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) score.applyAsDouble(found.get(i));
    }
    return scores;
  }

  /// Mends the masks, then drops those that have become another one's double; masks that did not
  /// need mending are preferred.
  @SuppressWarnings("ReferenceEquality") // the same object says that nothing was to be mended
  private List<Candidate> withoutSmallRegions(List<Candidate> found) {
    int minArea = options.minMaskRegionArea();
    var mended = new ArrayList<Candidate>();
    var scores = new float[found.size()];
    for (Candidate c : found) {
      Mask mask = c.rle.toMask(c.iou);
      Mask clean = mask.withoutHoles(minArea).withoutIslands(minArea);
      scores[mended.size()] = clean == mask ? 1 : 0;
      mended.add(
          clean == mask
              ? c
              : new Candidate(clean.rle(), clean.box(), c.iou, c.stability, c.x, c.y, c.crop));
    }
    float threshold = Math.max(options.boxNmsThresh(), options.cropNmsThresh());
    return suppress(mended, scores, threshold);
  }
}
