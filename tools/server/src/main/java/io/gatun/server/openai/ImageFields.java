package io.gatun.server.openai;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.ImagineOptions;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.schedulers.Schedulers;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.models.image.Image;
import io.gatun.server.http.Fields;
import io.gatun.server.http.Form;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// What a request wants of an image, checked before the model is asked. Pictures are uploaded; no
/// field names a file of the server's.
final class ImageFields {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,5})x(\\d{1,5})");
  private static final int LONGEST_SIDE = 2048;
  private static final long MOST_PIXELS = 4L << 20;
  private static final int MOST_IMAGES = 8;
  private static final int VAE_TILE = 64;
  private static final int MOST_TEXT_TOKENS = 512;
  private static final int MOST_HIRES = 4;

  private final Form form;
  private final Fields f;
  private final long pixelLimit;

  ImageFields(Form form, long pixelLimit) {
    this.form = form;
    f = form.fields();
    this.pixelLimit = pixelLimit;
  }

  /// What any image may be made with.
  Consumer<ImagineOptions> settings(StableDiffusion model) {
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
    double hires = f.real("hires", 1, 1, MOST_HIRES);
    if (Math.max(width, height) * hires > LONGEST_SIDE
        || n * hires * hires * width * height > MOST_PIXELS) {
      throw f.invalid(
          "hires",
          "makes %d images of %.0f x %.0f; sides of at most %d pixels and %,d pixels in all are made at a time"
              .formatted(n, width * hires, height * hires, LONGEST_SIDE, MOST_PIXELS));
    }
    String negative = f.text("negative_prompt", null);
    int steps = f.count("steps", 0, 1, Images.MOST_STEPS);
    double guidance = f.real("guidance_scale", Double.NaN, 0, 100);
    Long seed = f.seed("seed");
    var rng = rng();
    boolean weighted = f.flag("weighted", false);
    int clipSkip = f.count("clip_skip", 0, 0, 12);
    boolean tiles = f.flag("vae_tiling", false);
    int w = width;
    int h = height;
    Consumer<ImagineOptions> more = savings().andThen(o -> o.hires(hires));
    return o -> {
      more.accept(o);
      o.size(w, h).batch(n).scheduler(scheduler);
      o.rng(rng).weighted(weighted).clipSkip(clipSkip).vaeTile(tiles ? VAE_TILE : 0);
      if (steps > 0) {
        o.steps(steps);
      }
      if (!Double.isNaN(guidance)) {
        o.guidance(guidance);
      }
      if (negative != null) {
        o.negative(negative);
      }
      if (seed != null) {
        o.seed(seed);
      }
    };
  }

  /// How the steps are spread, and what of them is left out.
  private Consumer<ImagineOptions> savings() {
    var spacing = spacing();
    double cache = f.real("cache", 0, 0, 1);
    int textTokens = f.count("text_tokens", 0, 1, MOST_TEXT_TOKENS);
    double imageGuidance = f.real("image_guidance_scale", Double.NaN, 0, 100);
    double hiresStrength = share("hires_strength");
    if (f.has("hires_strength") && !f.has("hires")) {
      throw f.invalid("hires_strength", "is for a larger image; give hires, too");
    }
    var shares = f.array("guidance_interval", 2);
    if (!shares.isEmpty() && (shares.size() != 2 || !isInterval(shares))) {
      throw f.invalid(
          "guidance_interval", "is %s; need [start, end], such as [0.1, 0.8]".formatted(shares));
    }
    return o -> {
      o.spacing(spacing).cache(cache).textTokens(textTokens);
      if (!Double.isNaN(imageGuidance)) {
        o.imageGuidance(imageGuidance);
      }
      if (!Double.isNaN(hiresStrength)) {
        o.hiresStrength(hiresStrength);
      }
      if (!shares.isEmpty()) {
        o.guidanceInterval(shares.get(0).doubleValue(), shares.get(1).doubleValue());
      }
    };
  }

  /// A share above 0; not a number if there is none.
  private double share(String name) {
    double value = f.real(name, Double.NaN, 0, 1);
    if (value == 0) {
      throw f.invalid(name, "is 0; need more, and at most 1");
    }
    return value;
  }

  private static boolean isInterval(List<JsonNode> shares) {
    double start = shares.get(0).asDouble(-1);
    double end = shares.get(1).asDouble(-1);
    return shares.get(0).isNumber()
        && shares.get(1).isNumber()
        && start >= 0
        && start < end
        && end <= 1;
  }

  private Spacing spacing() {
    String name = f.text("spacing", null);
    if (name == null) {
      return null;
    }
    return Arrays.stream(Spacing.values())
        .filter(s -> s.toString().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                f.invalid(
                    "spacing",
                    "is \"%s\"; need one of %s".formatted(name, List.of(Spacing.values()))));
  }

  /// What a ControlNet of the pipeline sees.
  Consumer<ImagineOptions> control() {
    Image picture = form.image("control_image", pixelLimit);
    for (String name : List.of("control_scale", "control_start", "control_end")) {
      if (picture == null && f.has(name)) {
        throw f.invalid(name, "is for a control_image; give that, too");
      }
    }
    double scale = f.real("control_scale", 1, -10, 10);
    double start = f.real("control_start", 0, 0, 1);
    double end = f.real("control_end", 1, 0, 1);
    if (start >= end) {
      throw f.invalid("control_end", "is %s; need more than control_start".formatted(end));
    }
    return o -> {
      if (picture != null) {
        o.control(picture.rgb(), scale, start, end);
      }
    };
  }

  private Rng rng() {
    return switch (f.text("rng", "philox")) {
      case "philox" -> Rng.PHILOX;
      case "torch" -> Rng.TORCH;
      case String other ->
          throw f.invalid("rng", "is \"%s\"; need philox or torch".formatted(other));
    };
  }

  /// The picture to change.
  ///
  /// @param sees whether the model sees the picture, and does not start from it
  Consumer<ImagineOptions> source(boolean sees) {
    Image image = form.image("image", pixelLimit);
    if (image == null) {
      throw f.missing("image");
    }
    Image mask = form.image("mask", pixelLimit);
    if (mask != null && mask.channels() != 4) {
      throw f.invalid(
          "mask", "has no transparent pixels; need a PNG that is transparent where to paint");
    }
    double strength = share("strength");
    if (sees && (mask != null || !Double.isNaN(strength))) {
      throw f.invalid(
          mask != null ? "mask" : "strength",
          "is for models that start from a picture; this one sees it and changes it as the prompt"
              + " says");
    }
    return o -> {
      if (sees) {
        o.reference(image.rgb());
        return;
      }
      o.initImage(image.rgb());
      if (!Double.isNaN(strength)) {
        o.strength(strength);
      }
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
}
