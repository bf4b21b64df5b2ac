package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.ImagineOptions;
import io.gatun.models.ImagineStep;
import io.gatun.models.Imagined;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.Schedulers;
import io.gatun.models.image.Image;
import io.gatun.server.http.Call;
import io.gatun.server.http.Errors;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Form;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.server.models.Work;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// OpenAI's `/v1/images/generations` and `/v1/images/edits`, with `steps`, `guidance_scale`,
/// `seed`, `negative_prompt`, `scheduler`, `width`, `height`, `rng`, `weighted`, `clip_skip`,
/// `vae_tiling` and, for edits, `strength` besides. Images come as base64 alone; with `stream`, the
/// steps and some previews before them.
public final class Images {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,5})x(\\d{1,5})");
  private static final int LONGEST_SIDE = 2048;
  private static final long MOST_PIXELS = 4L << 20;
  private static final int MOST_STEPS = 200;
  private static final int MOST_IMAGES = 8;
  private static final int LONGEST_PROMPT = 32_000;
  private static final int VAE_TILE = 64;

  private final Models models;
  private final Duration timeout;
  private final long pixelLimit;

  Images(Models models, Settings settings) {
    this.models = models;
    timeout = settings.timeout;
    pixelLimit = settings.pixelLimit;
  }

  void addTo(Routes routes) {
    routes
        .post("/v1/images/generations", call -> make(call, "image_generation"))
        .post("/v1/images/edits", call -> make(call, "image_edit"));
  }

  private void make(Call call, String kind) throws Exception {
    var form = Form.of(call);
    var f = form.fields();
    try (var lease = models.lease(f.text("model", null), Use.IMAGES, StableDiffusion.class)) {
      String prompt = f.requiredText("prompt");
      if (prompt.length() > LONGEST_PROMPT) {
        throw f.invalid("prompt", "has more than %,d characters".formatted(LONGEST_PROMPT));
      }
      var chosen = settings(f, lease.model());
      if (kind.equals("image_edit")) {
        chosen = chosen.andThen(source(form));
      }
      boolean stream = f.flag("stream", false);
      int previews = f.count("partial_images", 0, 0, MOST_STEPS);
      f.only("response_format", "b64_json").only("output_format", "png");
      f.only("background", "auto", "opaque").only("quality", "auto", "standard");
      f.only("moderation", "auto", "low").ignore("user");
      form.requireAllRead();
      var options = chosen;
      Work<ObjectNode, Imagined> work =
          new Work<>(
              call,
              timeout,
              steps ->
                  lease
                      .model()
                      .imagine(
                          prompt,
                          o -> {
                            options.accept(o);
                            if (stream) {
                              o.onStep(step -> steps.accept(progress(kind, step, previews)));
                            }
                          }));
      try (work) {
        if (stream) {
          stream(call, work, kind);
        } else {
          var made = work.result();
          var body = Call.JSON.createObjectNode().put("created", now());
          var data = body.putArray("data");
          for (int i = 0; i < made.images().size(); i++) {
            data.add(node(made, i));
          }
          call.send(body);
        }
      }
    }
  }

  private static long now() {
    return System.currentTimeMillis() / 1000;
  }

  private static Consumer<ImagineOptions> settings(Fields f, StableDiffusion model) {
    int width = model.defaultSize();
    int height = width;
    String size = f.text("size", "auto");
    if (!size.equals("auto")) {
      var sides = SIZE.matcher(size);
      if (!sides.matches()) {
        throw f.invalid("size", "is \"%s\"; need WIDTHxHEIGHT in pixels".formatted(size));
      }
      width = Integer.parseInt(sides.group(1));
      height = Integer.parseInt(sides.group(2));
      if (f.has("width") || f.has("height")) {
        throw f.invalid("size", "says width and height; leave them out");
      }
    }
    width = f.count("width", width, 1, LONGEST_SIDE);
    height = f.count("height", height, 1, LONGEST_SIDE);
    int n = f.count("n", 1, 1, MOST_IMAGES);
    if (Math.max(width, height) > LONGEST_SIDE || (long) n * width * height > MOST_PIXELS) {
      throw f.invalid(
          "size",
          "is %d x %d, for %d images; sides of at most %d pixels and %,d pixels in all are made at a time"
              .formatted(width, height, n, LONGEST_SIDE, MOST_PIXELS));
    }
    String scheduler = f.text("scheduler", null);
    if (scheduler != null && !Schedulers.all().contains(scheduler)) {
      throw f.invalid(
          "scheduler", "is \"%s\"; need one of %s".formatted(scheduler, Schedulers.names()));
    }
    String negative = f.text("negative_prompt", null);
    int steps = f.count("steps", 25, 1, MOST_STEPS);
    double guidance = f.real("guidance_scale", 7.5, 0, 100);
    Long seed = f.seed("seed");
    var rng = rng(f);
    boolean weighted = f.flag("weighted", false);
    int clipSkip = f.count("clip_skip", 0, 0, 12);
    boolean tiles = f.flag("vae_tiling", false);
    int w = width;
    int h = height;
    return o -> {
      o.size(w, h).batch(n).steps(steps).guidance(guidance).scheduler(scheduler);
      o.rng(rng).weighted(weighted).clipSkip(clipSkip).vaeTile(tiles ? VAE_TILE : 0);
      if (negative != null) {
        o.negative(negative);
      }
      if (seed != null) {
        o.seed(seed);
      }
    };
  }

  private static Rng rng(Fields f) {
    return switch (f.text("rng", "philox")) {
      case "philox" -> Rng.PHILOX;
      case "torch" -> Rng.TORCH;
      case String other ->
          throw f.invalid("rng", "is \"%s\"; need philox or torch".formatted(other));
    };
  }

  private Consumer<ImagineOptions> source(Form form) {
    var f = form.fields();
    Image image = form.image("image", pixelLimit);
    if (image == null) {
      throw f.missing("image");
    }
    Image mask = form.image("mask", pixelLimit);
    if (mask != null && mask.channels() != 4) {
      throw f.invalid(
          "mask", "has no transparent pixels; need a PNG that is transparent where to paint");
    }
    double strength = f.real("strength", .75, 0, 1);
    return o -> {
      o.initImage(image.rgb()).strength(strength);
      if (mask != null) {
        o.mask(transparency(mask));
      }
    };
  }

  /// Light where the image is transparent.
  private static Image transparency(Image image) {
    int width = image.width();
    int height = image.height();
    var out = Arena.ofAuto().allocate((long) width * height);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        out.set(ValueLayout.JAVA_BYTE, (long) y * width + x, (byte) (255 - image.get(x, y, 3)));
      }
    }
    return Image.of(width, height, 1, out);
  }

  /// What a step's event says; some carry a preview, evenly spread.
  private static ObjectNode progress(String kind, ImagineStep step, int previews) {
    int done = step.index() + 1;
    int before = (previews + 1) * step.index() / step.count();
    int after = (previews + 1) * done / step.count();
    boolean shows = after > before && done < step.count();
    var node =
        Call.JSON
            .createObjectNode()
            .put("type", kind + (shows ? ".partial_image" : ".progress"))
            .put("step", done)
            .put("steps", step.count());
    if (shows) {
      node.put("partial_image_index", before).put("created_at", now());
      node.put("output_format", "png").put("b64_json", step.preview().getFirst().png(Map.of()));
    }
    return node;
  }

  private static void stream(Call call, Work<ObjectNode, Imagined> work, String kind)
      throws IOException, InterruptedException {
    boolean begun = false;
    try {
      for (var step = work.next(); step != null; step = work.next()) {
        if (!begun) {
          call.begin("text/event-stream; charset=utf-8");
          begun = true;
        }
        call.event(step);
      }
    } catch (RuntimeException e) {
      if (!begun) {
        throw e;
      }
      call.event(Errors.body(call.path(), Errors.of(e)));
      return;
    }
    var made = work.result();
    for (int i = 0; i < made.images().size(); i++) {
      call.event(node(made, i).put("type", kind + ".completed").put("created_at", now()));
    }
    call.part("data: [DONE]\n\n");
  }

  /// An image; its PNG file carries what it was made with.
  private static ObjectNode node(Imagined made, int i) {
    var image = made.images().get(i);
    var parameters = made.parameters().get(i);
    return Call.JSON
        .createObjectNode()
        .put("b64_json", image.png(Map.of(ImageParameters.KEYWORD, parameters.format())))
        .put("size", image.width() + "x" + image.height())
        .put("output_format", "png")
        .put("seed", Long.parseLong(parameters.settings().get("Seed")))
        .put("parameters", parameters.format());
  }
}
