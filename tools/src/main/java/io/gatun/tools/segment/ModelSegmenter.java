package io.gatun.tools.segment;

import io.gatun.models.image.Image;
import io.gatun.models.sam.EncodedImage;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.MaskPredictor;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.tools.console.ProgressBar;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/// A model in this process.
final class ModelSegmenter implements Segmenter {
  private final Sam sam;
  private final boolean interactive;
  private final double loadSeconds;

  /// @param interactive whether a person looks on
  ModelSegmenter(Supplier<Sam> load, boolean interactive) {
    long start = System.nanoTime();
    sam = load.get();
    loadSeconds = secondsSince(start);
    this.interactive = interactive;
  }

  private static double secondsSince(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public String model() {
    return sam.checkpoint().path().getFileName().toString();
  }

  @Override
  public String trainedOn() {
    return sam.config().trainedOn();
  }

  @Override
  public String loaded() {
    return String.format(Locale.ROOT, "loaded in %.2f s; ", loadSeconds);
  }

  @Override
  public Found<List<Mask>> find(
      Path file, Image picture, List<Prompt> prompts, Mask mask, boolean multimask) {
    long start = System.nanoTime();
    try (var encoded = sam.encode(picture)) {
      double encode = secondsSince(start);
      start = System.nanoTime();
      var complete = PromptOptions.withMask(prompts, mask, encoded);
      var found = new ArrayList<List<Mask>>();
      for (var prompt : complete) { // of any form
        var masks = encoded.predict(List.of(prompt), multimask || prompt.isSinglePoint());
        found.add(multimask ? masks.getFirst().masks() : List.of(masks.getFirst().best()));
      }
      return new Found<>(found, encode, secondsSince(start));
    }
  }

  @Override
  public Found<MaskAnnotation> findAll(Path file, Image picture, EverythingOptions how) {
    var encodeNanos = new long[1];
    var timed =
        new MaskPredictor() {
          @Override
          public EncodedImage encode(Image crop) {
            long start = System.nanoTime();
            EncodedImage encoded = sam.encode(crop);
            encodeNanos[0] += System.nanoTime() - start;
            return encoded;
          }

          @Override
          public Map<String, Double> maskGeneratorDefaults() {
            return sam.maskGeneratorDefaults();
          }
        };
    var generator = new SamAutomaticMaskGenerator(timed, how::configure);
    long start = System.nanoTime();
    var found = generate(generator, file, picture);
    double encode = encodeNanos[0] / 1e9;
    return new Found<>(found, encode, secondsSince(start) - encode);
  }

  private List<MaskAnnotation> generate(
      SamAutomaticMaskGenerator generator, Path file, Image picture) {
    if (!interactive) {
      return generator.generate(picture);
    }
    try (var bar = new ProgressBar(file.getFileName().toString(), " points", 1)) {
      return generator.generate(picture, (done, total) -> bar.show(done, total, ""));
    }
  }

  @Override
  public void close() {
    sam.close();
  }
}
