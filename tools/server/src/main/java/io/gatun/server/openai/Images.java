package io.gatun.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.ImagineStep;
import io.gatun.models.Imagined;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.server.http.Call;
import io.gatun.server.http.Errors;
import io.gatun.server.http.Form;
import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import io.gatun.server.models.Work;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;

/// OpenAI's `/v1/images/generations` and `/v1/images/edits`, with `steps`, `guidance_scale`,
/// `seed`, `negative_prompt`, `scheduler`, `width`, `height`, `rng`, `weighted`, `clip_skip`,
/// `vae_tiling`, `spacing`, `guidance_interval`, `cache`, `text_tokens`, `hires`, `hires_strength`,
/// `control_image` (an upload or a data URL) with `control_scale`, `control_start` and
/// `control_end`, and, for edits, `strength` and `image_guidance_scale` besides. A model that sees
/// pictures (InstructPix2Pix, FLUX.2) sees the one of an edit. Images come as base64 alone; with
/// `stream`, the steps and some previews before them.
public final class Images {
  static final int MOST_STEPS = 200;
  private static final int LONGEST_PROMPT = 32_000;

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
      var wanted = new ImageFields(form, pixelLimit);
      var chosen = wanted.settings(lease.model()).andThen(wanted.control());
      if (kind.equals("image_edit")) {
        chosen = chosen.andThen(wanted.source(lease.model().seesPictures()));
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
