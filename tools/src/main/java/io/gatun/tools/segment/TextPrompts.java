package io.gatun.tools.segment;

import io.gatun.models.clipseg.CLIPSeg;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.RunOptions;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options that say in words which object is meant.
final class TextPrompts {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--text",
      paramLabel = "TEXT",
      description =
          "What the object is, as in \"a dog\": CLIPSeg finds about where it is, and its box and"
              + " the likeliest point in it are the prompt.")
  private String text;

  @Option(
      names = "--text-model",
      paramLabel = "PATH",
      description =
          "CLIPSeg's directory, or its name on the Hugging Face hub (default: ${DEFAULT-VALUE}).")
  private Path model = Path.of("CIDAS/clipseg-rd64-refined");

  @Option(
      names = "--text-threshold",
      paramLabel = "X",
      description = "How likely the likeliest point must be, 0 to 1 (default: ${DEFAULT-VALUE}).")
  private float threshold = 0.1f;

  /// What finds texts in images.
  interface Finder extends AutoCloseable {
    /// Where what the text says is, as a prompt.
    ///
    /// @throws IllegalArgumentException if it is nowhere
    Prompt find(Image image, String text);

    @Override
    void close();
  }

  boolean isGiven() {
    return text != null;
  }

  /// The text, or null.
  String text() {
    return text;
  }

  void check(CommandLine command) {
    if (text != null && text.isBlank()) {
      throw new ParameterException(
          command, "--text is empty; say what to look for, as in \"a dog\"");
    }
    if (!(threshold >= 0 && threshold <= 1)) {
      throw new ParameterException(command, "--text-threshold is " + threshold + "; need 0 to 1");
    }
  }

  Finder open(RunOptions run) {
    var clipSeg = CLIPSeg.load(ModelNames.find(spec, model), run.backend(), run.threads());
    return new Finder() {
      @Override
      public Prompt find(Image image, String text) {
        return prompt(clipSeg, image, text);
      }

      @Override
      public void close() {
        clipSeg.close();
      }
    };
  }

  private Prompt prompt(CLIPSeg clipSeg, Image image, String text) {
    var place = clipSeg.heat(image, text).likeliest(image.width(), image.height());
    if (place.probability() < threshold) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "nothing looks like \"%s\": the likeliest point is so with %.1f %%, and"
                  + " --text-threshold asks for %.1f %%",
              text,
              100 * place.probability(),
              100 * threshold));
    }
    float[] b = place.box();
    return Prompt.box(b[0], b[1], b[2], b[3]).withPoint(place.x(), place.y());
  }
}
