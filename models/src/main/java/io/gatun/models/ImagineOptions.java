package io.gatun.models;

import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.models.image.Image;
import io.gatun.models.pipeline.PictureUse;
import io.gatun.models.pipeline.Pipeline;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/// How an image is made: `sd.imagine("a cat", o -> o.steps(20).seed(7))`.
public final class ImagineOptions {
  static final double IMAGE_GUIDANCE = 1.5;
  static final double HIRES_STRENGTH = 0.5;
  private static final double STRENGTH = 0.75;
  private static final double MOST_HIRES = 8;

  String negative;
  int steps;
  double guidance = Double.NaN;
  long seed = ThreadLocalRandom.current().nextLong(1L << 32);
  int width;
  int height;
  int batch = 1;
  String scheduler;
  Spacing spacing;
  Rng rng = Rng.PHILOX;
  boolean weighted;
  int clipSkip;
  int textTokens;
  Image initImage;
  Image mask;
  double strength = Double.NaN;
  double imageGuidance = IMAGE_GUIDANCE;
  final List<Image> references = new ArrayList<>();
  final List<Control> controls = new ArrayList<>();
  int vaeTile;
  float[][] noise = {};
  double guidanceStart;
  double guidanceEnd = 1;
  double cache;
  double hires = 1;
  double hiresStrength = HIRES_STRENGTH;
  int[] originalSize;
  int[] cropTopLeft = {0, 0};
  int[] targetSize;
  Consumer<ImagineStep> onStep = step -> {};

  /// What a ControlNet sees, and how strongly and for what shares of the steps it steers.
  record Control(Image picture, double scale, double start, double end) {}

  ImagineOptions() {}

  /// What not to draw. Left out it is nothing, which SDXL knows another way than the empty text.
  public ImagineOptions negative(String value) {
    negative = value;
    return this;
  }

  /// Sets what was left open as the model's makers recommend it.
  void complete(Pipeline.Defaults defaults, PictureUse use) {
    strength = Double.isNaN(strength) ? use == PictureUse.INPAINT ? 1 : STRENGTH : strength;
    steps = steps == 0 ? defaults.steps() : steps;
    guidance = Double.isNaN(guidance) ? defaults.guidance() : guidance;
  }

  /// How many steps the scheduler takes; unless set what suits the model, 25 for Stable Diffusion.
  public ImagineOptions steps(int value) {
    steps = atLeast("steps", value, 1);
    return this;
  }

  /// How strongly the prompt guides (classifier-free guidance, Ho and Salimans 2022,
  /// arXiv:2207.12598); unless set what suits the model, 7.5 for Stable Diffusion. 1 or less means
  /// without, which takes half the time, and which distilled models such as SDXL-Turbo want.
  public ImagineOptions guidance(double value) {
    if (!(value >= 0 && value <= 1000)) {
      throw new IllegalArgumentException("guidance is " + value + "; need 0 to 1000");
    }
    guidance = value;
    return this;
  }

  /// Guides only in the steps that lie between these shares of all, which takes half the time in
  /// the others (Kynkaanniemi et al. 2024, arXiv:2404.07724); in all steps unless set.
  public ImagineOptions guidanceInterval(double start, double end) {
    if (!(start >= 0 && start < end && end <= 1)) {
      throw new IllegalArgumentException(
          "guidance from %s to %s; need 0 <= start < end <= 1".formatted(start, end));
    }
    guidanceStart = start;
    guidanceEnd = end;
    return this;
  }

  /// Uses predictions again in steps in which they would change by less than this share of
  /// themselves, as far as the latest ones tell (EasyCache, Zhou et al. 2025, arXiv:2507.02860); 0,
  /// unless set, asks the network in all steps.
  public ImagineOptions cache(double tolerance) {
    if (!(tolerance >= 0 && tolerance <= 1)) {
      throw new IllegalArgumentException("the cache's tolerance is " + tolerance + "; need 0 to 1");
    }
    cache = tolerance;
    return this;
  }

  /// Makes the image in its size first, and then makes it anew from that so many times as large,
  /// for sizes in which the model by itself would repeat its subjects ("hires fix"); 1, unless set,
  /// makes it once. Width and height are rounded to what the model needs.
  public ImagineOptions hires(double scale) {
    if (!(scale >= 1 && scale <= MOST_HIRES)) {
      throw new IllegalArgumentException("hires is " + scale + "; need 1 to " + (int) MOST_HIRES);
    }
    hires = scale;
    return this;
  }

  /// How far the larger image of [#hires] may be from the first; 0.5 unless set.
  public ImagineOptions hiresStrength(double value) {
    hiresStrength = share("hiresStrength", value);
    return this;
  }

  /// Where the noise comes from; image i of a batch has the seed `value + i`. A random one unless
  /// set.
  public ImagineOptions seed(long value) {
    seed = value;
    return this;
  }

  /// The image's size in pixels; what the model was trained on unless set.
  public ImagineOptions size(int newWidth, int newHeight) {
    return width(newWidth).height(newHeight);
  }

  /// The image's width in pixels; what the model was trained on unless set.
  public ImagineOptions width(int value) {
    width = atLeast("width", value, 1);
    return this;
  }

  /// The image's height in pixels; what the model was trained on unless set.
  public ImagineOptions height(int value) {
    height = atLeast("height", value, 1);
    return this;
  }

  /// How many images are made at once.
  public ImagineOptions batch(int value) {
    batch = atLeast("batch", value, 1);
    return this;
  }

  /// A scheduler by its short name, see [io.gatun.models.diffusion.schedulers.Schedulers]; null for
  /// the one that comes with the model.
  public ImagineOptions scheduler(String value) {
    scheduler = value;
    return this;
  }

  /// How the steps are spread between noise and image; null for what the model's configuration
  /// says.
  public ImagineOptions spacing(Spacing value) {
    spacing = value;
    return this;
  }

  /// What makes noise of the seed.
  public ImagineOptions rng(Rng value) {
    rng = Objects.requireNonNull(value, "rng is null");
    return this;
  }

  /// Whether words in the prompts may have weights, `(word:1.2)`, and prompts any length; by
  /// default they are read as they stand and cut after 75 tokens.
  public ImagineOptions weighted(boolean value) {
    weighted = value;
    return this;
  }

  /// How many of the text encoders' last layers are left out, beyond those that the model leaves
  /// out itself.
  public ImagineOptions clipSkip(int value) {
    clipSkip = atLeast("clip skip", value, 0);
    return this;
  }

  /// How many tokens of a prompt T5 reads at most, and where its padding is read, too, how many at
  /// all; 0, unless set, for what the model's makers chose. Fewer take less time.
  public ImagineOptions textTokens(int value) {
    textTokens = atLeast("text tokens", value, 0);
    return this;
  }

  /// An image to start from, brought to the wanted size.
  public ImagineOptions initImage(Image value) {
    initImage = value;
    return this;
  }

  /// Where the initial image is to be painted anew: where this one is lighter than grey.
  public ImagineOptions mask(Image value) {
    mask = value;
    return this;
  }

  /// A picture that the network sees: the one to change (InstructPix2Pix), or one of those to work
  /// from (FLUX.2). The first of them says the image's size unless that is set.
  public ImagineOptions reference(Image value) {
    references.add(Objects.requireNonNull(value, "the reference is null"));
    return this;
  }

  /// How strongly the picture guides that is to be changed (Brooks et al. 2023, arXiv:2211.09800);
  /// 1.5 unless set.
  public ImagineOptions imageGuidance(double value) {
    if (!(value >= 0 && value <= 1000)) {
      throw new IllegalArgumentException("imageGuidance is " + value + "; need 0 to 1000");
    }
    imageGuidance = value;
    return this;
  }

  /// The picture (edges, depth, a pose) for the next of the ControlNets, which steers in all steps
  /// as it was trained.
  public ImagineOptions control(Image picture) {
    return control(picture, 1, 0, 1);
  }

  /// The picture for the next of the ControlNets.
  ///
  /// @param scale how strongly it steers; 1 as it was trained
  /// @param start the share of the steps after which it begins, from 0
  /// @param end the share of the steps after which it ends, up to 1
  public ImagineOptions control(Image picture, double scale, double start, double end) {
    if (!Double.isFinite(scale) || !(start >= 0 && start < end && end <= 1)) {
      throw new IllegalArgumentException(
          "a ControlNet of scale %s from %s to %s; need a number, and 0 <= start < end <= 1"
              .formatted(scale, start, end));
    }
    controls.add(
        new Control(
            Objects.requireNonNull(picture, "the ControlNet's picture is null"),
            scale,
            start,
            end));
    return this;
  }

  /// How far the result may be from the initial image: the share of the steps that are taken;
  /// unless set 0.75, and 1 for models that see what is around the mask.
  public ImagineOptions strength(double value) {
    strength = share("strength", value);
    return this;
  }

  /// Decodes the image in overlapping squares of so many latents (8 pixels) a side, which takes
  /// less memory; 0, unless set, for the image as a whole.
  public ImagineOptions vaeTile(int value) {
    vaeTile = value == 0 ? 0 : atLeast("tile", value, 16);
    return this;
  }

  /// Standard normal noise (batch, channels, height / 8, width / 8) in place of the seed's: first
  /// what to begin with, then, as far as given, what the scheduler adds.
  public ImagineOptions noise(float[]... values) {
    noise = values.clone();
    return this;
  }

  /// SDXL: the size that the model is told the image had before it was cropped (Podell et al. 2023,
  /// arXiv:2307.01952, section 2.2); small ones make it blurry. The image's own unless set.
  public ImagineOptions originalSize(int newWidth, int newHeight) {
    originalSize =
        new int[] {
          atLeast("originalSize's height", newHeight, 1),
          atLeast("originalSize's width", newWidth, 1)
        };
    return this;
  }

  /// SDXL: how much the model is told was cropped at the top and the left; 0 unless set.
  public ImagineOptions cropTopLeft(int top, int left) {
    cropTopLeft =
        new int[] {atLeast("cropTopLeft's top", top, 0), atLeast("cropTopLeft's left", left, 0)};
    return this;
  }

  /// SDXL: the size that the model is told the image is to have; its own unless set.
  public ImagineOptions targetSize(int newWidth, int newHeight) {
    targetSize =
        new int[] {
          atLeast("targetSize's height", newHeight, 1), atLeast("targetSize's width", newWidth, 1)
        };
    return this;
  }

  /// Is called after each step.
  public ImagineOptions onStep(Consumer<ImagineStep> value) {
    onStep = Objects.requireNonNull(value, "onStep is null");
    return this;
  }

  private static double share(String what, double value) {
    if (!(value > 0 && value <= 1)) {
      throw new IllegalArgumentException(
          "%s is %s; need more than 0, and at most 1".formatted(what, value));
    }
    return value;
  }

  private static int atLeast(String what, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(what + " is " + value + "; need at least " + least);
    }
    return value;
  }
}
