package io.gatun.models;

import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.Scheduler;
import io.gatun.models.diffusion.Schedulers;
import io.gatun.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// Options as settings in [ImageParameters], and back.
///
/// The names are AUTOMATIC1111's where it has them. `Scheduler`, `Dtype`, `Prompt syntax`, `Lora
/// 1`, `Negative text` (empty, which is another thing for SDXL than none), `VAE file` and `VAE
/// tile` are Gatun's own, which other programs pass over.
public final class ImageSettings {
  private static final String OWN = "default";
  private static final String WEIGHTED = "weighted";
  private static final String LORA = "Lora ";
  private static final String NEGATIVE = "Negative text";
  private static final String EMPTY = "empty";
  private static final String VAE = "VAE file";

  private ImageSettings() {}

  static ImageParameters write(
      String prompt,
      ImagineOptions o,
      int image,
      Denoising.Size size,
      int factor,
      Scheduler scheduler,
      Path model,
      StableDiffusionOptions loaded) {
    var s = new LinkedHashMap<String, String>();
    s.put("Steps", "" + o.steps);
    s.put("Sampler", Schedulers.samplerName(scheduler));
    s.put("CFG scale", plain(o.guidance));
    s.put("Seed", "" + (o.seed + image));
    s.put("Size", "%dx%d".formatted(size.width() * factor, size.height() * factor));
    s.put("Model", model.getFileName().toString());
    if (o.initImage != null) {
      s.put("Denoising strength", plain(o.strength));
    }
    if (o.clipSkip > 0) {
      s.put("Clip skip", "" + (o.clipSkip + 1)); // AUTOMATIC1111 counts the last layer, too
    }
    s.put("RNG", o.rng == Rng.TORCH ? "CPU" : "Philox");
    s.put("Scheduler", o.scheduler == null ? OWN : o.scheduler);
    s.put("Dtype", loaded.dtype().name().toLowerCase(Locale.ROOT));
    if (o.weighted) {
      s.put("Prompt syntax", WEIGHTED);
    }
    if (o.negative != null && o.negative.isEmpty()) {
      s.put(NEGATIVE, EMPTY);
    }
    if (o.vaeTile > 0) {
      s.put("VAE tile", "" + o.vaeTile);
    }
    if (loaded.vae != null) {
      s.put(VAE, loaded.vae.toString());
    }
    int lora = 1;
    for (Map.Entry<Path, Double> each : loaded.loras.entrySet()) {
      s.put(LORA + lora++, each.getKey() + ":" + plain(each.getValue()));
    }
    s.put("Version", "Gatun");
    return new ImageParameters(prompt, o.negative == null ? "" : o.negative, s);
  }

  /// Without the ".0" of whole numbers.
  private static String plain(double value) {
    return value == Math.rint(value) ? "" + (long) value : "" + value;
  }

  /// Sets how the pipeline was loaded that an image was made with: the type of its activations, its
  /// autoencoder if that was another, and its low-rank adaptations.
  ///
  /// @throws IllegalArgumentException if a setting is not as it should be
  public static void read(ImageParameters parameters, StableDiffusionOptions o) {
    parameters
        .settings()
        .forEach(
            (name, value) -> {
              if (name.equals("Dtype")) {
                o.dtype(value.equals("f32") ? DType.Plain.F32 : DType.Plain.BF16);
              } else if (name.equals(VAE)) {
                o.vae(Path.of(value));
              } else if (name.startsWith(LORA) && !name.equals("Lora hashes")) {
                lora(value, o);
              }
            });
  }

  /// Adds an adaptation as a user writes it: `FILE:SCALE`, or `FILE` for a scale of 1.
  ///
  /// @throws IllegalArgumentException if there is no file, or what follows the last colon is no
  ///   number
  public static void lora(String fileAndScale, StableDiffusionOptions o) {
    if (fileAndScale.isBlank()) {
      throw new IllegalArgumentException("the adaptation has no name; need FILE or FILE:SCALE");
    }
    int colon = fileAndScale.lastIndexOf(':');
    Path whole = Path.of(fileAndScale);
    if (colon <= 0 || Files.exists(whole)) {
      o.lora(whole, 1);
      return;
    }
    String scale = fileAndScale.substring(colon + 1);
    try {
      o.lora(Path.of(fileAndScale.substring(0, colon)), Double.parseDouble(scale));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "the adaptation \"%s\": \"%s\" is no number; need FILE:SCALE, as in style.safetensors:0.8"
              .formatted(fileAndScale, scale),
          e);
    }
  }

  /// Sets the options that an image was made with, but for those that name files.
  ///
  /// @throws IllegalArgumentException if a setting is not as it should be, or names a sampler that
  ///   Gatun does not have
  public static void read(ImageParameters parameters, ImagineOptions o) {
    Map<String, String> s = parameters.settings();
    if (!parameters.negativePrompt().isEmpty()) {
      o.negative(parameters.negativePrompt());
    }
    s.forEach(
        (name, value) -> {
          try {
            set(name, value, s, o);
          } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                "the image's parameters say \"%s: %s\"; need a number".formatted(name, value), e);
          }
        });
  }

  private static void set(String name, String value, Map<String, String> all, ImagineOptions o) {
    switch (name) {
      case "Steps" -> o.steps(Integer.parseInt(value));
      case "CFG scale" -> o.guidance(Double.parseDouble(value));
      case "Seed" -> o.seed(Long.parseLong(value));
      case "Size" -> {
        String[] sides = value.split("x", -1);
        if (sides.length != 2) {
          throw new NumberFormatException(value);
        }
        o.size(Integer.parseInt(sides[0]), Integer.parseInt(sides[1]));
      }
      case "Denoising strength" -> o.strength(Double.parseDouble(value));
      case "Clip skip" -> o.clipSkip(Integer.parseInt(value) - 1);
      case "RNG" -> o.rng(value.equals("CPU") ? Rng.TORCH : Rng.PHILOX);
      case "Scheduler" -> o.scheduler(value.equals(OWN) ? null : value);
      case "Sampler" -> {
        if (!all.containsKey("Scheduler")) {
          o.scheduler(scheduler(value, all.getOrDefault("Schedule type", "")));
        }
      }
      case "Prompt syntax" -> o.weighted(value.equals(WEIGHTED));
      case NEGATIVE -> {
        if (value.equals(EMPTY)) {
          o.negative("");
        }
      }
      case "VAE tile" -> o.vaeTile(Integer.parseInt(value));
      default -> {} // other programs' settings, and files, which the caller names
    }
  }

  private static String scheduler(String sampler, String type) {
    String name = Schedulers.ofSampler(sampler, type);
    if (name == null) {
      throw new IllegalArgumentException(
          "the image was made with the sampler \"%s\", which Gatun does not have; choose another with --scheduler: %s"
              .formatted((sampler + " " + type).strip(), Schedulers.names()));
    }
    return name;
  }
}
