package io.gatun.models;

import io.gatun.models.SourceFile.Kind;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.diffusion.schedulers.Scheduler;
import io.gatun.models.diffusion.schedulers.Schedulers;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.models.pipeline.LatentSize;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Options as settings in [ImageParameters], and back.
///
/// The names are AUTOMATIC1111's where it has them. `Scheduler`, `Spacing`, `Guidance interval`,
/// `Step cache`, `Embedding 1`, `Embedding 1 hash`, `Dtype`, `Prediction type` (where the files
/// left that open), `Prompt syntax`, `Lora 1`, `Lora 1 hash`, `Negative text` (empty, which is
/// another thing for SDXL than none), `Text tokens`, `Network file`, `Text encoder 1`, `VAE file`,
/// `VAE file hash`, `VAE tile`, `Control 1`, `Control 1 hash`, `Control 1 steers` (how strongly,
/// from where and to where), `Control 1 image hash`, `Reference 1 hash`, `Init image hash` and
/// `Mask hash` are Gatun's own, which other programs pass over.
///
/// What comes from an image's file is a stranger's word: it sets numbers and choices. Of files
/// there are only names and hashes, see [#files].
public final class ImageSettings {
  private static final String OWN = "default";
  private static final String STRENGTH = "Denoising strength";
  private static final String HIRES = "Hires upscale";
  private static final String PREDICTION = "Prediction type";
  private static final String SPACING = "Spacing";
  private static final String WEIGHTED = "weighted";
  private static final String LORA = "Lora ";
  private static final String NEGATIVE = "Negative text";
  private static final String EMPTY = "empty";
  private static final String TEXT_TOKENS = "Text tokens";
  private static final String NETWORK = "Network file";
  private static final String TEXT_ENCODER = "Text encoder ";
  private static final String VAE = "VAE file";
  private static final String IMAGE_GUIDANCE = "Image CFG scale";
  private static final String INTERVAL = "Guidance interval";
  private static final String CACHE = "Step cache";
  private static final String EMBEDDING = "Embedding ";
  private static final String CONTROL = "Control ";
  private static final String STEERS = " steers";
  private static final String IMAGE = " image";
  private static final String REFERENCE = "Reference ";
  private static final String INIT_IMAGE = "Init image hash";
  private static final String MASK = "Mask hash";
  private static final String HASH = " hash";
  private static final int MOST_FILES = 100;
  private static final int SHOWN = 40;

  private ImageSettings() {}

  static ImageParameters write(
      String prompt,
      ImagineOptions o,
      int image,
      LatentSize size,
      Scheduler scheduler,
      StableDiffusionOptions loaded,
      List<SourceFile> files) {
    var s = new LinkedHashMap<String, String>();
    s.put("Steps", "" + o.steps);
    s.put("Sampler", Schedulers.samplerName(scheduler));
    s.put("CFG scale", plain(o.guidance));
    s.put("Seed", "" + (o.seed + image));
    s.put("Size", "%dx%d".formatted(size.width() * size.factor(), size.height() * size.factor()));
    if (o.initImage != null) {
      s.put(STRENGTH, plain(o.strength));
    } else if (o.hires > 1) {
      s.put(STRENGTH, plain(o.hiresStrength));
      s.put(HIRES, plain(o.hires));
    }
    if (o.clipSkip > 0) {
      s.put("Clip skip", "" + (o.clipSkip + 1)); // AUTOMATIC1111 counts the last layer, too
    }
    s.put("RNG", o.rng == Rng.TORCH ? "CPU" : "Philox");
    s.put("Scheduler", o.scheduler == null ? OWN : o.scheduler);
    if (o.spacing != null) {
      s.put(SPACING, o.spacing.toString());
    }
    s.put("Dtype", loaded.dtype().name().toLowerCase(Locale.ROOT));
    if (loaded.prediction != null) {
      s.put(PREDICTION, loaded.prediction.toString());
    }
    if (o.weighted) {
      s.put("Prompt syntax", WEIGHTED);
    }
    if (o.negative != null && o.negative.isEmpty()) {
      s.put(NEGATIVE, EMPTY);
    }
    if (o.textTokens > 0) {
      s.put(TEXT_TOKENS, "" + o.textTokens);
    }
    if (o.vaeTile > 0) {
      s.put("VAE tile", "" + o.vaeTile);
    }
    if (o.imageGuidance != ImagineOptions.IMAGE_GUIDANCE) {
      s.put(IMAGE_GUIDANCE, plain(o.imageGuidance));
    }
    if (o.guidanceStart > 0 || o.guidanceEnd < 1) {
      s.put(INTERVAL, "%s to %s".formatted(plain(o.guidanceStart), plain(o.guidanceEnd)));
    }
    if (o.cache > 0) {
      s.put(CACHE, plain(o.cache));
    }
    for (int i = 0; i < o.controls.size(); i++) {
      var control = o.controls.get(i);
      s.put(
          CONTROL + (i + 1) + STEERS,
          "%s from %s to %s"
              .formatted(plain(control.scale()), plain(control.start()), plain(control.end())));
    }
    int encoder = 1;
    int lora = 1;
    int control = 1;
    int embedding = 1;
    int picture = 1;
    int reference = 1;
    for (SourceFile file : files) {
      switch (file.kind()) {
        case MODEL -> s.put("Model", file.name());
        case NETWORK -> s.put(NETWORK, file.name());
        case TEXT_ENCODER -> s.put(TEXT_ENCODER + encoder++, file.name());
        case VAE -> putFile(VAE, file, "", s);
        case LORA -> putFile(LORA + lora++, file, ":" + plain(file.scale()), s);
        case EMBEDDING -> putFile(EMBEDDING + embedding++, file, "", s);
        case CONTROLNET -> putFile(CONTROL + control++, file, "", s);
        case CONTROL_IMAGE -> s.put(CONTROL + picture++ + IMAGE + HASH, file.hash());
        case REFERENCE -> s.put(REFERENCE + reference++ + HASH, file.hash());
        case INIT_IMAGE -> s.put(INIT_IMAGE, file.hash());
        case MASK -> s.put(MASK, file.hash());
      }
    }
    s.put("Version", "Gatun");
    return new ImageParameters(prompt, o.negative == null ? "" : o.negative, s);
  }

  private static void putFile(String key, SourceFile file, String scale, Map<String, String> s) {
    s.put(key, file.name() + scale);
    if (!file.hash().isEmpty()) {
      s.put(key + HASH, file.hash());
    }
  }

  /// Without the ".0" of whole numbers.
  private static String plain(double value) {
    return value == Math.rint(value) ? "" + (long) value : "" + value;
  }

  /// Sets how the pipeline was loaded that an image was made with, as far as that needs no files.
  ///
  /// @throws IllegalArgumentException if what the network predicts has no name that Gatun knows
  public static void read(ImageParameters parameters, StableDiffusionOptions o) {
    String prediction = parameters.settings().get(PREDICTION);
    if (prediction != null) {
      o.predictionType(prediction(prediction));
    }
    String dtype = parameters.settings().get("Dtype");
    if (dtype != null) {
      o.dtype(dtype.equals("f32") ? DType.Plain.F32 : DType.Plain.BF16);
    }
  }

  private static PredictionType prediction(String name) {
    for (var type : PredictionType.values()) {
      if (type.toString().equals(name)) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "the image's parameters say \"%s: %s\"; need one of %s"
            .formatted(PREDICTION, shown(name), List.of(PredictionType.values())));
  }

  /// The files that an image was made with, for the caller to find: the model, another autoencoder,
  /// adaptations in their order, an initial image, a mask.
  ///
  /// @throws IllegalArgumentException if an adaptation's scale is no number
  public static List<SourceFile> files(ImageParameters parameters) {
    Map<String, String> s = parameters.settings();
    var files = new ArrayList<SourceFile>();
    if (s.containsKey("Model")) {
      files.add(file(Kind.MODEL, s.get("Model"), 1, null));
    }
    if (s.containsKey(NETWORK)) {
      files.add(file(Kind.NETWORK, s.get(NETWORK), 1, null));
    }
    for (int i = 1; s.containsKey(TEXT_ENCODER + i) && i <= MOST_FILES; i++) {
      files.add(file(Kind.TEXT_ENCODER, s.get(TEXT_ENCODER + i), 1, null));
    }
    if (s.containsKey(VAE)) {
      files.add(file(Kind.VAE, s.get(VAE), 1, s.get(VAE + HASH)));
    }
    for (int i = 1; s.containsKey(LORA + i) && i <= MOST_FILES; i++) {
      String value = s.get(LORA + i);
      int colon = value.lastIndexOf(':');
      double scale = colon < 0 ? 1 : number(LORA + i, value, value.substring(colon + 1));
      String name = colon < 0 ? value : value.substring(0, colon);
      files.add(file(Kind.LORA, name, scale, s.get(LORA + i + HASH)));
    }
    for (int i = 1; s.containsKey(EMBEDDING + i) && i <= MOST_FILES; i++) {
      files.add(file(Kind.EMBEDDING, s.get(EMBEDDING + i), 1, s.get(EMBEDDING + i + HASH)));
    }
    for (int i = 1; s.containsKey(CONTROL + i) && i <= MOST_FILES; i++) {
      files.add(file(Kind.CONTROLNET, s.get(CONTROL + i), 1, s.get(CONTROL + i + HASH)));
    }
    for (int i = 1; s.containsKey(CONTROL + i + IMAGE + HASH) && i <= MOST_FILES; i++) {
      files.add(file(Kind.CONTROL_IMAGE, "", 1, s.get(CONTROL + i + IMAGE + HASH)));
    }
    for (int i = 1; s.containsKey(REFERENCE + i + HASH) && i <= MOST_FILES; i++) {
      files.add(file(Kind.REFERENCE, "", 1, s.get(REFERENCE + i + HASH)));
    }
    boolean started = s.containsKey(STRENGTH) && !s.containsKey(HIRES);
    if (started || s.containsKey(INIT_IMAGE)) {
      files.add(file(Kind.INIT_IMAGE, "", 1, s.get(INIT_IMAGE)));
    }
    if (s.containsKey(MASK)) {
      files.add(file(Kind.MASK, "", 1, s.get(MASK)));
    }
    return files;
  }

  private static SourceFile file(Kind kind, String name, double scale, String hash) {
    return new SourceFile(
        kind, shown(SourceFile.name(name)), hash == null ? "" : shown(hash), scale);
  }

  private static double number(String name, String value, String number) {
    try {
      return Double.parseDouble(number);
    } catch (NumberFormatException e) {
      throw noNumber(name, value, e);
    }
  }

  private static IllegalArgumentException noNumber(
      String name, String value, NumberFormatException cause) {
    return new IllegalArgumentException(
        "the image's parameters say \"%s: %s\"; need a number".formatted(name, shown(value)),
        cause);
  }

  /// A stranger's text in a message: without what a terminal would obey, and not pages of it.
  private static String shown(String text) {
    String line = text.replaceAll("\\p{Cntrl}", "?");
    return line.length() <= SHOWN ? line : line.substring(0, SHOWN) + "...";
  }

  /// How a ControlNet steers.
  ///
  /// @param scale how strongly
  /// @param start the share of the steps after which it begins
  /// @param end the share of the steps after which it ends
  public record Control(double scale, double start, double end) {}

  /// How a ControlNet steered; as it was trained if the parameters do not say.
  ///
  /// @param parameters null for none
  /// @param i the number of it, from 0
  /// @throws IllegalArgumentException if they say no three numbers
  public static Control control(ImageParameters parameters, int i) {
    String name = CONTROL + (i + 1) + STEERS;
    String value = parameters == null ? null : parameters.settings().get(name);
    if (value == null) {
      return new Control(1, 0, 1);
    }
    String[] parts = value.split(" from | to ", -1);
    if (parts.length != 3) {
      throw noNumber(name, value, null);
    }
    return new Control(
        number(name, value, parts[0]),
        number(name, value, parts[1]),
        number(name, value, parts[2]));
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
            throw noNumber(name, value, e);
          }
        });
  }

  private static void set(String name, String value, Map<String, String> all, ImagineOptions o) {
    switch (name) {
      case "Steps" -> o.steps(Integer.parseInt(value));
      case "CFG scale" -> o.guidance(Double.parseDouble(value));
      case CACHE -> o.cache(Double.parseDouble(value));
      case INTERVAL -> {
        int to = value.indexOf(" to ");
        if (to < 0) {
          throw new NumberFormatException(value);
        }
        o.guidanceInterval(
            Double.parseDouble(value.substring(0, to)),
            Double.parseDouble(value.substring(to + 4)));
      }
      case IMAGE_GUIDANCE -> o.imageGuidance(Double.parseDouble(value));
      case "Seed" -> o.seed(Long.parseLong(value));
      case "Size" -> {
        int x = value.indexOf('x');
        if (x < 0) {
          throw new NumberFormatException(value);
        }
        o.size(Integer.parseInt(value.substring(0, x)), Integer.parseInt(value.substring(x + 1)));
      }
      case STRENGTH -> {
        double strength = Double.parseDouble(value);
        if (all.containsKey(HIRES)) {
          o.hiresStrength(strength);
        } else {
          o.strength(strength);
        }
      }
      case HIRES -> o.hires(Double.parseDouble(value));
      case "Clip skip" -> o.clipSkip(Integer.parseInt(value) - 1);
      case "RNG" -> o.rng(value.equals("CPU") ? Rng.TORCH : Rng.PHILOX);
      case SPACING -> o.spacing(spacing(value));
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
      case TEXT_TOKENS -> o.textTokens(Integer.parseInt(value));
      case "VAE tile" -> o.vaeTile(Integer.parseInt(value));
      default -> {} // other programs' settings, and files, which the caller names
    }
  }

  private static Spacing spacing(String name) {
    for (var spacing : Spacing.values()) {
      if (spacing.toString().equals(name)) {
        return spacing;
      }
    }
    throw new IllegalArgumentException(
        "the image's parameters say \"%s: %s\"; need one of %s"
            .formatted(SPACING, shown(name), List.of(Spacing.values())));
  }

  private static String scheduler(String sampler, String type) {
    String name = Schedulers.ofSampler(sampler, type);
    if (name == null) {
      throw new IllegalArgumentException(
          "the image was made with the sampler \"%s\", which Gatun does not have; choose another with --scheduler: %s"
              .formatted(shown((sampler + " " + type).strip()), Schedulers.names()));
    }
    return name;
  }
}
