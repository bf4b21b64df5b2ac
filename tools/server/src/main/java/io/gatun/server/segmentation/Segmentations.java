package io.gatun.server.segmentation;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prediction;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Resize;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.server.http.Call;
import io.gatun.server.http.Form;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.SegmentationModel;
import io.gatun.server.models.SegmentationModel.Kept;
import io.gatun.server.models.Use;
import io.gatun.server.models.Work;
import io.gatun.tensor.runtime.Workers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/// `/v1/segmentations`: masks of an image at points, in boxes, or of everything in it.
///
/// `image` is a data URL, or a file of a form; the answer's `image_id` stands for it in later
/// requests, which take milliseconds. `points` are `{"x", "y", "label"}` in pixels (label 1 on the
/// object, 0 beside it) and `box` is `[x0, y0, x1, y1]`, all about one object; `boxes` are several
/// objects; `everything` is true or an object of the mask generator's parameters. Masks come from
/// the best to the worst, as `formats` says: `png` in base64, COCO's run lengths as `rle` (both
/// unless it is given), and `polygons` of corners between pixels. `mask_input` is an image, light
/// where the one object is about.
public final class Segmentations {
  private final Models models;
  private final Duration timeout;
  private final long pixelLimit;

  public Segmentations(Models models, Settings settings) {
    this.models = models;
    timeout = settings.timeout;
    pixelLimit = settings.pixelLimit;
  }

  public void addTo(Routes routes) {
    routes.post("/v1/segmentations", this::segment);
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
      var question = SegmentationQuestion.of(form, pixelLimit);
      form.requireAllRead();
      if (image != null) {
        question.prompts().forEach(prompt -> prompt.checkInside(image.width(), image.height()));
      }
      Work<Void, ObjectNode> work =
          new Work<>(
              call,
              timeout,
              _ -> {
                long began = System.nanoTime();
                try (var kept = image == null ? model.get(id) : model.add(image)) {
                  long encoded = System.nanoTime();
                  return answer(lease.name(), model, kept, question)
                      .put("encode_seconds", (encoded - began) / 1e9)
                      .put("decode_seconds", (System.nanoTime() - encoded) / 1e9);
                }
              });
      try (work) {
        call.send(work.result());
      }
    }
  }

  private static ObjectNode answer(
      String name, SegmentationModel model, Kept kept, SegmentationQuestion question) {
    var body =
        Call.JSON
            .createObjectNode()
            .put("model", name)
            .put("trained_on", model.sam().config().trainedOn())
            .put("image_id", kept.id())
            .put("width", kept.image().width())
            .put("height", kept.image().height());
    var all = body.putArray("masks");
    if (question.everything() != null) {
      var generator = new SamAutomaticMaskGenerator(keeping(model, kept), question.everything());
      for (MaskAnnotation found : generator.generate(kept.image())) {
        var node = node(found.mask(), question.formats());
        node.put("stability_score", found.stabilityScore());
        var point = node.putArray("point_coords");
        DoubleStream.of(found.pointCoords()).forEach(point::add);
        var crop = node.putArray("crop_box");
        IntStream.of(found.cropBox()).forEach(crop::add);
        all.add(node);
      }
      return body;
    }
    var prompts = question.complete(kept.encoded());
    if (prompts.isEmpty()) {
      return body;
    }
    boolean single = prompts.size() == 1 && prompts.getFirst().isSinglePoint();
    boolean multimask = question.multimask() == null ? single : question.multimask();
    // A single point may mean a part or the whole: the model is asked for three all the same.
    var predictions = kept.encoded().predict(prompts, multimask || single);
    for (int i = 0; i < predictions.size(); i++) {
      var masks = predictions.get(i).masks();
      var shown =
          multimask
              ? masks.stream().sorted((a, b) -> Float.compare(b.score(), a.score())).toList()
              : List.of(predictions.get(i).best());
      for (var mask : shown) {
        var node = node(mask, question.formats()).put("prompt", i);
        all.add(multimask ? node.put("index", masks.indexOf(mask)) : node);
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
    if (formats.contains("polygons")) {
      var polygons = node.putArray("polygons");
      for (var polygon : mask.polygons()) {
        var one = polygons.addObject();
        one.set("outer", ring(polygon.outer()));
        var holes = one.putArray("holes");
        polygon.holes().forEach(hole -> holes.add(ring(hole)));
      }
    }
    if (formats.contains("png")) {
      node.put("png", mask.toImage().png(Map.of()));
    }
    return node;
  }

  /// The corners of a line, each as x and y.
  private static ArrayNode ring(int[] corners) {
    var ring = Call.JSON.createArrayNode();
    for (int i = 0; i < corners.length; i += 2) {
      ring.addArray().add(corners[i]).add(corners[i + 1]);
    }
    return ring;
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
    public Resize resize() {
      return of.resize();
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
