package io.gatun.tools.options;

import io.gatun.loaders.hub.HubName;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// The low-rank adaptations that are added to a model.
public final class LoraOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--lora",
      paramLabel = "FILE[:SCALE]",
      description =
          "Add a low-rank adaptation: a file, a directory, or a name on the Hugging Face hub; may"
              + " be given several times.")
  private List<String> loras = new ArrayList<>();

  /// Their files and scales, in the order in which they were given.
  public Map<Path, Double> adaptations() {
    return adaptations(command, loras);
  }

  /// The files and scales of `FILE:SCALE`; those on the hub are fetched.
  public static Map<Path, Double> adaptations(CommandSpec command, List<String> loras) {
    Map<Path, Double> adaptations = new LinkedHashMap<>();
    loras.forEach(lora -> addLora(lora, adaptations));
    Map<Path, Double> found = new LinkedHashMap<>();
    adaptations.forEach((file, scale) -> found.put(ModelNames.find(command, file), scale));
    return found;
  }

  /// `FILE:SCALE`, or `FILE` for a scale of 1; a name on the hub may have a colon of its own.
  private static void addLora(String text, Map<Path, Double> adaptations) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("the adaptation has no name; need FILE or FILE:SCALE");
    }
    int colon = text.lastIndexOf(':');
    if (colon <= 0 || Files.exists(Path.of(text))) {
      adaptations.put(Path.of(text), 1.0);
      return;
    }
    String scale = text.substring(colon + 1);
    Path file = Path.of(text.substring(0, colon));
    try {
      adaptations.put(file, Double.parseDouble(scale));
    } catch (NumberFormatException e) {
      if (HubName.isLike(text) && !Files.exists(file)) {
        adaptations.put(Path.of(text), 1.0);
        return;
      }
      throw new IllegalArgumentException(
          "the adaptation \"%s\": \"%s\" is no number; need FILE:SCALE, as in style.safetensors:0.8"
              .formatted(text, scale),
          e);
    }
  }
}
