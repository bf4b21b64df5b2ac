package io.gatun.tools.imagine;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.ImagineOptions;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.tools.options.Choice;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/// The options that say how an image is made. What is not given stays as it is: as an image's file
/// says, or the default.
final class ImagineMixin {
  private static final int VAE_TILE = 64;

  @Option(
      names = "--negative",
      paramLabel = "TEXT",
      description =
          "What not to draw. SDXL takes an empty text for another thing than none, as diffusers"
              + " does.")
  private String negative;

  @Option(
      names = {"-s", "--steps"},
      paramLabel = "N",
      description =
          "Steps from noise to the image (default: what suits the model, 25 for Stable Diffusion).")
  private Integer steps;

  @Option(
      names = {"-g", "--guidance"},
      paramLabel = "X",
      description =
          "How strongly the prompt guides (default: what suits the model, 7.5 for Stable"
              + " Diffusion); 1 or less: without, as SDXL-Turbo and others want it.")
  private Double guidance;

  @Option(
      names = "--image-guidance",
      paramLabel = "X",
      description = "How strongly the picture guides that InstructPix2Pix changes (default: 1.5).")
  private Double imageGuidance;

  @Option(
      names = "--guidance-interval",
      paramLabel = "START:END",
      description =
          "Guide only between these shares of the steps, such as 0.1:0.8; others take half the"
              + " time. With tiny-sd, 20 steps, the image differs by 30 dB with 0:0.8,"
              + " by 25 dB with 0:0.5.")
  private String guidanceInterval;

  @Option(
      names = "--cache",
      paramLabel = "X",
      description =
          "Use predictions again that would change by less than this share, such as 0.1, in place"
              + " of asking the network in each step. With tiny-sd, 20 steps: 0.1 leaves out 2 of"
              + " them (56 dB), 0.2 seven (42 dB), 0.3 eight (40 dB).")
  private Double cache;

  @Option(names = "--seed", paramLabel = "N", description = "Seed of the noise (default: random).")
  private Long seed;

  @Option(
      names = "--width",
      paramLabel = "PIXELS",
      description = "Width, a multiple of 8 (default: what the model was trained on).")
  private Integer width;

  @Option(
      names = "--height",
      paramLabel = "PIXELS",
      description = "Height, a multiple of 8 (default: what the model was trained on).")
  private Integer height;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Images at once, with the seeds that follow each other (default: 1).")
  private Integer batch;

  @Option(
      names = "--scheduler",
      paramLabel = "NAME",
      description =
          "euler, euler_karras, euler_a, ddim, dpmpp_2m, dpmpp_2m_karras, dpmpp_2m_sde,"
              + " dpmpp_2m_sde_karras, unipc, pndm, lcm, tcd, heun, dpm2, dpm2_a, dpmpp_2s,"
              + " dpmpp_2s_a, lms or deis (default: the model's own).")
  private String scheduler;

  @Option(
      names = "--spacing",
      paramLabel = "NAME",
      converter = SpacingConverter.class,
      description =
          "How the steps are spread between noise and image: linspace, leading, trailing,"
              + " sgm_uniform, normal, simple, karras, exponential, beta or ays (default: the"
              + " model's own).")
  private Spacing spacing;

  @Option(
      names = "--strength",
      paramLabel = "X",
      description =
          "How far from --init-image the result may be, above 0 to 1 (default: 0.75, and 1"
              + " for models made for inpainting).")
  private Double strength;

  @Option(
      names = "--hires",
      paramLabel = "X",
      description =
          "Make the image in its size first, and then anew from that so many times as large: for"
              + " sizes in which the model alone would repeat its subjects.")
  private Double hires;

  @Option(
      names = "--hires-strength",
      paramLabel = "X",
      description =
          "How far the larger image of --hires may be from the first, above 0 to 1 (default: 0.5).")
  private Double hiresStrength;

  @Option(
      names = "--rng",
      paramLabel = "philox|torch",
      description =
          "Where noise comes from: philox (the default), or torch, as PyTorch draws it on a CPU.")
  private Rng rng;

  @Option(
      names = "--weighted",
      description =
          "Read (word:1.2), (word) and [word] as weights, BREAK as the beginning of a new chunk,"
              + " and prompts of any length in chunks of 75 tokens.")
  private Boolean weighted;

  @Option(
      names = "--clip-skip",
      paramLabel = "N",
      description = "Leave out so many of the text encoder's last layers (default: 0).")
  private Integer clipSkip;

  @Option(
      names = "--text-tokens",
      paramLabel = "N",
      description =
          "How many tokens of the prompt T5 reads, where a model has it (default: the model's own"
              + " number, 120 to 512); fewer take less time.")
  private Integer textTokens;

  @Option(
      names = "--vae-tiling",
      description = "Decode the image in overlapping tiles, which takes less memory.")
  private Boolean vaeTiling;

  static final class SpacingConverter implements ITypeConverter<Spacing> {
    @Override
    public Spacing convert(String value) {
      return Choice.of(Spacing.class, value);
    }
  }

  boolean isBatch() {
    return batch != null && batch > 1;
  }

  boolean hasStrength() {
    return strength != null;
  }

  void apply(ImagineOptions o) {
    if (negative != null) {
      o.negative(negative);
    }
    if (steps != null) {
      o.steps(steps);
    }
    if (guidance != null) {
      o.guidance(guidance);
    }
    if (imageGuidance != null) {
      o.imageGuidance(imageGuidance);
    }
    if (guidanceInterval != null) {
      double[] shares = interval();
      o.guidanceInterval(shares[0], shares[1]);
    }
    if (cache != null) {
      o.cache(cache);
    }
    if (seed != null) {
      o.seed(seed);
    }
    if (width != null) {
      o.width(width);
    }
    if (height != null) {
      o.height(height);
    }
    if (batch != null) {
      o.batch(batch);
    }
    if (scheduler != null) {
      o.scheduler(scheduler);
    }
    if (spacing != null) {
      o.spacing(spacing);
    }
    if (strength != null) {
      o.strength(strength);
    }
    if (hires != null) {
      o.hires(hires);
    }
    if (hiresStrength != null) {
      o.hiresStrength(hiresStrength);
    }
    if (rng != null) {
      o.rng(rng);
    }
    if (weighted != null) {
      o.weighted(weighted);
    }
    if (clipSkip != null) {
      o.clipSkip(clipSkip);
    }
    if (textTokens != null) {
      o.textTokens(textTokens);
    }
    if (vaeTiling != null) {
      o.vaeTile(vaeTiling ? VAE_TILE : 0);
    }
  }

  /// The shares of the steps between which the prompt guides.
  private double[] interval() {
    String[] parts = guidanceInterval.split(":", -1);
    try {
      if (parts.length == 2) {
        return new double[] {Double.parseDouble(parts[0]), Double.parseDouble(parts[1])};
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new IllegalArgumentException(
        "--guidance-interval is \"%s\"; need START:END, such as 0.1:0.8"
            .formatted(guidanceInterval));
  }

  /// Puts them into a request to a server.
  void tell(ObjectNode body) {
    body.put("negative_prompt", negative)
        .put("steps", steps)
        .put("guidance_scale", guidance)
        .put("seed", seed)
        .put("width", width)
        .put("height", height)
        .put("n", batch)
        .put("scheduler", scheduler)
        .put("strength", strength)
        .put("rng", rng == null ? null : rng.name().toLowerCase(Locale.ROOT))
        .put("weighted", weighted)
        .put("clip_skip", clipSkip)
        .put("vae_tiling", vaeTiling)
        .put("image_guidance_scale", imageGuidance)
        .put("cache", cache)
        .put("spacing", spacing == null ? null : spacing.toString())
        .put("text_tokens", textTokens)
        .put("hires", hires)
        .put("hires_strength", hiresStrength);
    if (guidanceInterval != null) {
      double[] shares = interval();
      body.putArray("guidance_interval").add(shares[0]).add(shares[1]);
    }
  }
}
