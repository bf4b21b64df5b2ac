package io.gatun.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskAnnotation;
import io.gatun.models.sam.MaskGeneratorOptions;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prediction;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.SamAutomaticMaskGenerator;
import io.gatun.server.SegmentationModel.Kept;
import io.gatun.tensor.runtime.Workers;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/// `/v1/segmentations`: masks of an image at points, in boxes, or of everything in it.
///
/// `image` is a data URL, or a file of a form; the answer's `image_id` stands for it in later
/// requests, which take milliseconds. `points` are `{"x", "y", "label"}` in pixels (label 1 on the
/// object, 0 beside it) and `box` is `[x0, y0, x1, y1]`, all about one object; `boxes` are several
/// objects; `everything` is true or an object of the mask generator's parameters. Masks come from
/// the best to the worst, as `formats` says: `png` in base64, COCO's run lengths as `rle`, or both.
final class Segmentations {
  private static final int POINTS = 256;
  private static final int BOXES = 64;

  private final Models models;
  private final Work.Queue queue;
  private final long pixelLimit;

  Segmentations(Models models, ServerOptions options, Work.Queue queue) {
    this.models = models;
    this.queue = queue;
    pixelLimit = options.pixelLimit;
  }

  void addTo(Routes routes) {
    routes.post("/v1/segmentations", this::segment);
  }

  /// What is asked about an image.
  ///
  /// @param everything null for the prompts
  private record Question(
      List<Prompt> prompts,
      boolean multimask,
      Consumer<MaskGeneratorOptions> everything,
      Set<String> formats) {
    static Question of(Fields f) {
      var prompts = prompts(f);
      boolean single = prompts.size() == 1 && prompts.getFirst().isSinglePoint();
      boolean multimask = f.flag("multimask", single);
      var everything = everything(f);
      if (everything != null && !prompts.isEmpty()) {
        throw f.invalid("everything", "asks at points of its own; leave out points and boxes");
      }
      var formats = new HashSet<>(f.texts("formats", 2));
      if (!Set.of("png", "rle").containsAll(formats)) {
        throw f.invalid("formats", "is %s; need png, rle or both".formatted(formats));
      }
      return new Question(
          prompts, multimask, everything, formats.isEmpty() ? Set.of("png", "rle") : formats);
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
      int side = e.count("points_per_side", 0, 1, 64);
      float iou = e.number("pred_iou_thresh", -1, 0, 1);
      float stability = e.number("stability_score_thresh", -1, 0, 1);
      int layers = e.count("crop_n_layers", -1, 0, 2);
      int area = e.count("min_mask_region_area", 0, 0, Integer.MAX_VALUE);
      e.requireAllRead();
      return o -> {
        if (side > 0) {
          o.pointsPerSide(side);
        }
        if (iou >= 0) {
          o.predIouThresh(iou);
        }
        if (stability >= 0) {
          o.stabilityScoreThresh(stability);
        }
        if (layers >= 0) {
          o.cropNLayers(layers);
        }
        if (area > 0) {
          o.minMaskRegionArea(area);
        }
      };
    }
  }

  private void segment(Call call) throws Exception {
    var form = Form.of(call);
    var f = form.fields();
    try (var lease =
        models.lease(f.text("model", null), Use.SEGMENTATION, SegmentationModel.class)) {
      var model = lease.model();
      String id = f.text("image_id", null);
      var image = form.image("image", pixelLimit);
      if ((id == null) == (image == null)) {
        throw f.invalid(
            "image", id == null ? "or \"image_id\" is missing" : "and \"image_id\" are both there");
      }
      var question = Question.of(f);
      form.requireAllRead("image");
      if (image != null) {
        question.prompts.forEach(prompt -> prompt.checkInside(image.width(), image.height()));
      }
      Work<Void, ObjectNode> work =
          queue.start(
              call,
              _ -> {
                try (var kept = image == null ? model.get(id) : model.add(image)) {
                  return answer(lease.name(), model, kept, question);
                }
              });
      try (work) {
        call.send(work.result());
      }
    }
  }

  private static ObjectNode answer(
      String name, SegmentationModel model, Kept kept, Question question) {
    var body =
        Call.JSON
            .createObjectNode()
            .put("model", name)
            .put("image_id", kept.id())
            .put("width", kept.image().width())
            .put("height", kept.image().height());
    var all = body.putArray("masks");
    if (question.everything != null) {
      var generator = new SamAutomaticMaskGenerator(keeping(model, kept), question.everything);
      for (MaskAnnotation found : generator.generate(kept.image())) {
        all.add(
            node(found.mask(), question.formats).put("stability_score", found.stabilityScore()));
      }
      return body;
    }
    if (question.prompts.isEmpty()) {
      return body;
    }
    boolean single = question.prompts.getFirst().isSinglePoint();
    // A single point may mean a part or the whole: the model is asked for three all the same.
    var predictions = kept.encoded().predict(question.prompts, question.multimask || single);
    for (int i = 0; i < predictions.size(); i++) {
      var prediction = predictions.get(i);
      var masks = new ArrayList<Mask>();
      if (question.multimask) {
        masks.addAll(prediction.masks());
        masks.sort((a, b) -> Float.compare(b.score(), a.score()));
      } else {
        masks.add(prediction.best());
      }
      for (var mask : masks) {
        all.add(node(mask, question.formats).put("prompt", i));
      }
    }
    return body;
  }

  private static ObjectNode node(Mask mask, Set<String> formats) {
    var node = Call.JSON.createObjectNode().put("score", mask.score()).put("area", mask.area());
    var bbox = node.putArray("bbox");
    for (int side : mask.bbox()) {
      bbox.add(side);
    }
    if (formats.contains("rle")) {
      var rle = mask.rle();
      var object = node.putObject("rle");
      object.putArray("size").add(rle.height()).add(rle.width());
      object.put("counts", rle.compressed());
    }
    if (formats.contains("png")) {
      node.put("png", mask.toImage().png(Map.of()));
    }
    return node;
  }

  /// The model, which has looked at one image already.
  private static MaskPredictor keeping(SegmentationModel model, Kept kept) {
    return new MaskPredictor() {
      @Override
      public EncodedImage encode(io.gatun.models.image.Image image) {
        return image == kept.image() ? new Open(kept.encoded()) : model.sam().encode(image);
      }

      @Override
      public Map<String, Double> maskGeneratorDefaults() {
        return model.sam().maskGeneratorDefaults();
      }
    };
  }

  /// An encoded image that stays when it is closed.
  private record Open(EncodedImage of) implements EncodedImage {
    @Override
    public int width() {
      return of.width();
    }

    @Override
    public int height() {
      return of.height();
    }

    @Override
    public int imgSize() {
      return of.imgSize();
    }

    @Override
    public int maskSize() {
      return of.maskSize();
    }

    @Override
    public float maskThreshold() {
      return of.maskThreshold();
    }

    @Override
    public LowResMasks decode(List<Prompt> prompts, boolean multimaskOutput) {
      return of.decode(prompts, multimaskOutput);
    }

    @Override
    public List<Prediction> predict(List<Prompt> prompts, boolean multimaskOutput) {
      return of.predict(prompts, multimaskOutput);
    }

    @Override
    public Workers workers() {
      return of.workers();
    }

    @Override
    public void close() {}
  }
}
