package io.gatun.server.segmentation;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.config.MaskGeneratorOptions;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Form;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/// What is asked about an image.
///
/// @param prompts without the mask
/// @param mask what is known of the one object; null for nothing
/// @param multimask null for three masks of a single point, which may mean a part or the whole
/// @param everything null for the prompts
public record SegmentationQuestion(
    List<Prompt> prompts,
    Mask mask,
    Boolean multimask,
    Consumer<MaskGeneratorOptions> everything,
    Set<String> formats) {
  private static final int POINTS = 256;
  private static final int BOXES = 64;
  private static final Set<String> FORMATS = Set.of("png", "rle", "polygons");

  private record Whole(int least, int most, BiConsumer<MaskGeneratorOptions, Integer> set) {}

  private static final Map<String, Whole> COUNTS =
      Map.of(
          "points_per_side",
          new Whole(1, 64, MaskGeneratorOptions::pointsPerSide),
          "points_per_batch",
          new Whole(1, 512, MaskGeneratorOptions::pointsPerBatch),
          "crop_n_layers",
          new Whole(0, 2, MaskGeneratorOptions::cropNLayers),
          "crop_n_points_downscale_factor",
          new Whole(1, 64, MaskGeneratorOptions::cropNPointsDownscaleFactor),
          "min_mask_region_area",
          new Whole(0, Integer.MAX_VALUE, MaskGeneratorOptions::minMaskRegionArea));

  private static final Map<String, BiConsumer<MaskGeneratorOptions, Double>> NUMBERS =
      Map.of(
          "pred_iou_thresh",
          (o, v) -> o.predIouThresh(v.floatValue()),
          "stability_score_thresh",
          (o, v) -> o.stabilityScoreThresh(v.floatValue()),
          "stability_score_offset",
          (o, v) -> o.stabilityScoreOffset(v.floatValue()),
          "box_nms_thresh",
          (o, v) -> o.boxNmsThresh(v.floatValue()),
          "crop_nms_thresh",
          (o, v) -> o.cropNmsThresh(v.floatValue()),
          "crop_overlap_ratio",
          MaskGeneratorOptions::cropOverlapRatio);

  static SegmentationQuestion of(Form form, long pixelLimit) {
    var f = form.fields();
    var prompts = prompts(f);
    Image mask = form.image("mask_input", pixelLimit);
    if (mask != null && prompts.size() > 1) {
      throw f.invalid("mask_input", "is of one object; with several boxes leave it out");
    }
    Boolean multimask = f.has("multimask") ? Boolean.valueOf(f.flag("multimask", false)) : null;
    var everything = everything(f);
    if (everything != null && (!prompts.isEmpty() || mask != null)) {
      throw f.invalid(
          "everything", "asks at points of its own; leave out points, boxes and mask_input");
    }
    var formats = new HashSet<>(f.texts("formats", FORMATS.size()));
    if (!FORMATS.containsAll(formats)) {
      throw f.invalid("formats", "is %s; need some of png, rle, polygons".formatted(formats));
    }
    return new SegmentationQuestion(
        prompts,
        mask == null ? null : Mask.of(mask),
        multimask,
        everything,
        formats.isEmpty() ? Set.of("png", "rle") : formats);
  }

  /// The prompts with the mask, if there is one.
  List<Prompt> complete(EncodedImage encoded) {
    if (mask == null) {
      return prompts;
    }
    float[] logits = encoded.logitsOf(mask);
    return List.of(prompts.isEmpty() ? Prompt.mask(logits) : prompts.getFirst().withMask(logits));
  }

  private static List<Prompt> prompts(Fields f) {
    Prompt prompt = null;
    for (JsonNode node : f.array("points", POINTS)) {
      var point = Fields.of(node, "points");
      float x = coordinate(point, "x");
      float y = coordinate(point, "y");
      int label = point.count("label", Prompt.FOREGROUND, 0, 1);
      point.requireAllRead();
      prompt =
          prompt == null
              ? label == 0 ? Prompt.background(x, y) : Prompt.point(x, y)
              : label == 0 ? prompt.withBackground(x, y) : prompt.withPoint(x, y);
    }
    if (f.has("box")) {
      float[] b = box(f, "box", f.get("box"));
      prompt =
          prompt == null
              ? Prompt.box(b[0], b[1], b[2], b[3])
              : prompt.withBox(b[0], b[1], b[2], b[3]);
    }
    var boxes = new ArrayList<Prompt>();
    for (JsonNode node : f.array("boxes", BOXES)) {
      float[] b = box(f, "boxes", node);
      boxes.add(Prompt.box(b[0], b[1], b[2], b[3]));
    }
    if (prompt != null && !boxes.isEmpty()) {
      throw f.invalid("boxes", "are of several objects; leave out points and box");
    }
    return prompt != null ? List.of(prompt) : boxes;
  }

  private static float coordinate(Fields point, String name) {
    if (!point.has(name)) {
      throw point.missing(name);
    }
    return point.number(name, 0, 0, Integer.MAX_VALUE);
  }

  private static float[] box(Fields f, String name, JsonNode node) {
    var box = new float[4];
    for (int i = 0; i < 4; i++) {
      if (!node.isArray() || node.size() != 4 || !node.get(i).isNumber()) {
        throw f.invalid(name, "has %s; need [x0, y0, x1, y1]".formatted(Fields.brief(node)));
      }
      box[i] = node.get(i).floatValue();
    }
    return box;
  }

  private static Consumer<MaskGeneratorOptions> everything(Fields f) {
    JsonNode node = f.get("everything");
    if (node == null || node.isBoolean()) {
      return node == null || !node.booleanValue() ? null : _ -> {};
    }
    var e = f.object("everything");
    // Read now, so that what is wrong is said before the image is looked at.
    var chosen = new ArrayList<Consumer<MaskGeneratorOptions>>();
    COUNTS.forEach(
        (name, whole) -> {
          if (e.has(name)) {
            int value = e.count(name, 0, whole.least, whole.most);
            chosen.add(o -> whole.set.accept(o, value));
          }
        });
    NUMBERS.forEach(
        (name, set) -> {
          if (e.has(name)) {
            double value = e.real(name, 0, -1000, 1000);
            chosen.add(o -> set.accept(o, value));
          }
        });
    e.requireAllRead();
    return o -> chosen.forEach(one -> one.accept(o));
  }
}
