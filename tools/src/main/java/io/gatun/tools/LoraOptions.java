package io.gatun.tools;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/// The low-rank adaptations that are added to a model.
final class LoraOptions {
  @Option(
      names = "--lora",
      paramLabel = "FILE[:SCALE]",
      description = "Add a low-rank adaptation; may be given several times.")
  private List<String> loras = new ArrayList<>();

  /// Their files and scales, in the order in which they were given.
  Map<Path, Double> adaptations() {
    Map<Path, Double> adaptations = new LinkedHashMap<>();
    loras.forEach(lora -> addLora(lora, adaptations));
    return adaptations;
  }

  /// `FILE:SCALE`, or `FILE` for a scale of 1.
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
    try {
      adaptations.put(Path.of(text.substring(0, colon)), Double.parseDouble(scale));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "the adaptation \"%s\": \"%s\" is no number; need FILE:SCALE, as in style.safetensors:0.8"
              .formatted(text, scale),
          e);
    }
  }
}
