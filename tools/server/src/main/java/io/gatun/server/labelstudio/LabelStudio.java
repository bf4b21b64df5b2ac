package io.gatun.server.labelstudio;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Polygon;
import io.gatun.models.sam.Prompt;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import io.gatun.server.http.DataUrl;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.SegmentationModel;
import io.gatun.server.models.SegmentationModel.Kept;
import io.gatun.server.models.Use;
import io.gatun.server.models.Work;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CancellationException;

/// Label Studio's protocol for models: `/setup` reads a project's labeling interface, `/predict`
/// makes the mask of what an annotator has clicked or drawn a box around, with the first model that
/// segments.
///
/// Unknown fields are passed over here: the protocol gains some with each version, and none says
/// what a mask is to be.
public final class LabelStudio {
  private static final int TASKS = 1024;
  private static final int REGIONS = 256;
  private static final int REMEMBERED = 256;

  private final Models models;
  private final Settings settings;
  private final TaskImages images;

  /// The ids of images that were encoded, by their addresses.
  private final Map<String, String> encoded =
      new LinkedHashMap<>(16, .75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, String> eldest) {
          return size() > REMEMBERED;
        }
      };

  public LabelStudio(Models models, Settings settings) {
    this.models = models;
    this.settings = settings;
    images = new TaskImages(settings);
  }

  public void addTo(Routes routes) {
    routes.post("/setup", this::setUp).post("/predict", this::predict);
  }

  private void setUp(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    var _ = LabelConfig.of("schema", f.requiredText("schema"));
    String name = models.catalog().find(null, Use.SEGMENTATION).name();
    call.send(Call.JSON.createObjectNode().put("model_version", name));
  }

  private void predict(Call call) throws Exception {
    var f = Fields.of(call.json(), "");
    var tasks = f.array("tasks", TASKS);
    var config = LabelConfig.of("label_config", f.requiredText("label_config"));
    var params = f.object("params");
    var context = params == null ? null : params.object("context");
    var regions = context == null ? List.<JsonNode>of() : context.array("result", REGIONS);
    var body = Call.JSON.createObjectNode();
    var results = body.putArray("results");
    if (regions.isEmpty() || tasks.isEmpty()) {
      call.send(body); // nobody has clicked yet
      return;
    }
    String url = tasks.getFirst().path("data").path(config.field()).asText();
    if (url.isEmpty()) {
      throw f.invalid("tasks", "have no \"%s\" in their data".formatted(config.field()));
    }
    try (var lease = models.lease(null, Use.SEGMENTATION, SegmentationModel.class);
        Work<Void, ObjectNode> work =
            new Work<>(
                call,
                settings.timeout,
                _ -> {
                  try (var kept = keep(lease.model(), url)) {
                    return answer(config, regions, kept).put("model_version", lease.name());
                  } catch (InterruptedException e) {
                    throw new CancellationException();
                  }
                })) {
      results.add(work.result());
      call.send(body);
    }
  }

  /// The image, encoded: by a click before, or now.
  private Kept keep(SegmentationModel model, String url) throws InterruptedException {
    String id;
    synchronized (encoded) {
      id = encoded.get(url);
    }
    if (id != null) {
      try {
        return model.get(id);
      } catch (ApiException e) {
        // It had to go for others.
      }
    }
    var kept = model.add(images.read(url));
    if (!DataUrl.is(url)) {
      synchronized (encoded) {
        encoded.put(url, kept.id());
      }
    }
    return kept;
  }

  private static ObjectNode answer(LabelConfig config, List<JsonNode> regions, Kept kept) {
    int width = kept.image().width();
    int height = kept.image().height();
    Prompt prompt = null;
    String label = null;
    for (JsonNode node : regions) {
      var region = Fields.of(node, "params.context.result");
      if (region.count("image_rotation", 0, -360, 360) != 0) {
        throw region.invalid("image_rotation", "is not 0; turn the image back");
      }
      String type = region.requiredText("type");
      var value = region.object("value");
      if (value == null) {
        throw region.missing("value");
      }
      float x = value.number("x", 0, 0, 100) * width / 100;
      float y = value.number("y", 0, 0, 100) * height / 100;
      switch (type) {
        case "keypointlabels" -> {
          boolean on = region.flag("is_positive", true);
          prompt =
              prompt == null
                  ? on ? Prompt.point(x, y) : Prompt.background(x, y)
                  : on ? prompt.withPoint(x, y) : prompt.withBackground(x, y);
        }
        case "rectanglelabels" -> {
          float x1 = x + value.number("width", 0, 0, 100) * width / 100;
          float y1 = y + value.number("height", 0, 0, 100) * height / 100;
          prompt = prompt == null ? Prompt.box(x, y, x1, y1) : prompt.withBox(x, y, x1, y1);
        }
        default ->
            throw region.invalid(
                "type", "is \"%s\"; need keypointlabels or rectanglelabels".formatted(type));
      }
      var labels = value.texts(type, REGIONS);
      label = labels.isEmpty() ? label : labels.getFirst();
    }
    if (label == null) {
      throw ApiException.invalid(
          "params", "\"params.context.result\" has no label: choose one before you click");
    }
    prompt.checkInside(width, height);
    var mask = kept.encoded().predict(List.of(prompt), prompt.isSinglePoint()).getFirst().best();
    var prediction = Call.JSON.createObjectNode();
    var result = prediction.putArray("result");
    if (mask.area() > 0) {
      var region = result.addObject();
      region
          .put("id", UUID.randomUUID().toString().substring(0, 8))
          .put("from_name", config.fromName())
          .put("to_name", config.toName())
          .put("type", config.type())
          .put("original_width", width)
          .put("original_height", height)
          .put("image_rotation", 0)
          .put("score", mask.score())
          .put("readonly", false);
      var value = region.putObject("value");
      value.putArray(config.type()).add(label);
      if (config.type().equals("brushlabels")) {
        brush(value, mask);
      } else {
        polygon(value, mask);
      }
    }
    return prediction.put("score", mask.score());
  }

  private static void brush(ObjectNode value, Mask mask) {
    var rle = value.put("format", "rle").putArray("rle");
    for (byte b : BrushRle.encode(mask)) {
      rle.add(b & 0xff);
    }
  }

  /// The outline of the largest part: a polygon has neither holes nor several parts there.
  private static void polygon(ObjectNode value, Mask mask) {
    var largest =
        mask.polygons().stream().max(Comparator.comparingLong(LabelStudio::area)).orElseThrow();
    var points = value.put("closed", true).putArray("points");
    int[] corners = largest.outer();
    for (int i = 0; i < corners.length; i += 2) {
      points
          .addArray()
          .add(100.0 * corners[i] / mask.width())
          .add(100.0 * corners[i + 1] / mask.height());
    }
  }

  /// Twice the area within an outline.
  private static long area(Polygon polygon) {
    int[] at = polygon.outer();
    long sum = 0;
    for (int i = 0; i < at.length; i += 2) {
      int next = (i + 2) % at.length;
      sum += (long) at[i] * at[next + 1] - (long) at[next] * at[i + 1];
    }
    return Math.abs(sum);
  }
}
