package io.gatun.spring;

import org.springframework.ai.image.ImageOptions;

/// How pictures are made; what is null is the model's default.
///
/// @param n how many
/// @param width in pixels
/// @param height in pixels
/// @param negative what they should not show
/// @param steps of the scheduler
/// @param guidance how closely they follow the prompt
/// @param seed the same seed makes the same pictures; null for new ones each time
/// @param scheduler its name, as the command line takes it
/// @param strength how much of a picture that is given is changed, 0 to 1
public record GatunImageOptions(
    Integer n,
    Integer width,
    Integer height,
    String negative,
    Integer steps,
    Double guidance,
    Long seed,
    String scheduler,
    Double strength)
    implements ImageOptions {
  /// The model's defaults.
  public static final GatunImageOptions DEFAULT =
      new GatunImageOptions(null, null, null, null, null, null, null, null, null);

  public GatunImageOptions withN(int value) {
    return new GatunImageOptions(
        value, width, height, negative, steps, guidance, seed, scheduler, strength);
  }

  public GatunImageOptions withSize(int newWidth, int newHeight) {
    return new GatunImageOptions(
        n, newWidth, newHeight, negative, steps, guidance, seed, scheduler, strength);
  }

  public GatunImageOptions withNegative(String value) {
    return new GatunImageOptions(
        n, width, height, value, steps, guidance, seed, scheduler, strength);
  }

  public GatunImageOptions withSteps(int value) {
    return new GatunImageOptions(
        n, width, height, negative, value, guidance, seed, scheduler, strength);
  }

  public GatunImageOptions withGuidance(double value) {
    return new GatunImageOptions(
        n, width, height, negative, steps, value, seed, scheduler, strength);
  }

  public GatunImageOptions withSeed(long value) {
    return new GatunImageOptions(
        n, width, height, negative, steps, guidance, value, scheduler, strength);
  }

  public GatunImageOptions withScheduler(String value) {
    return new GatunImageOptions(
        n, width, height, negative, steps, guidance, seed, value, strength);
  }

  public GatunImageOptions withStrength(double value) {
    return new GatunImageOptions(
        n, width, height, negative, steps, guidance, seed, scheduler, value);
  }

  /// These, and where they are null, others.
  GatunImageOptions or(ImageOptions others) {
    var own = others instanceof GatunImageOptions o ? o : DEFAULT;
    return new GatunImageOptions(
        or(n, others.getN()),
        or(width, others.getWidth()),
        or(height, others.getHeight()),
        or(negative, own.negative),
        or(steps, own.steps),
        or(guidance, own.guidance),
        or(seed, own.seed),
        or(scheduler, own.scheduler),
        or(strength, own.strength));
  }

  private static <T> T or(T value, T otherwise) {
    return value == null ? otherwise : value;
  }

  @Override
  public Integer getN() {
    return n;
  }

  @Override
  public String getModel() {
    return null;
  }

  @Override
  public Integer getWidth() {
    return width;
  }

  @Override
  public Integer getHeight() {
    return height;
  }

  @Override
  public String getResponseFormat() {
    return null;
  }

  @Override
  public String getStyle() {
    return null;
  }
}
