package io.gatun.models.diffusion.files;

import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.WeightNames;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/// The names that a part's weights have elsewhere than with diffusers.
public final class OriginalNames {
  private OriginalNames() {}

  /// In the makers' own files, and in those of others who name modules otherwise; none where all
  /// have diffusers' names. Only UNets of equally deep blocks have such names.
  ///
  /// @param part `unet`, `transformer`, `text_encoder`
  /// @param config the part's configuration
  public static List<WeightNames> of(String part, JsonKeys config) {
    var json = config.json();
    String className = json.path("_class_name").asText();
    return switch (part) {
      case "transformer" ->
          Stream.of(
                  TransformerNames.of(className, json.path("num_layers").asInt(), ""),
                  TransformerNames.xlabs(className))
              .filter(Objects::nonNull)
              .toList();
      case "unet" ->
          json.path("layers_per_block").isInt()
              ? List.of(
                  LdmNames.unet(
                      config.texts("up_block_types"), config.count("layers_per_block"), ""))
              : List.of();
      default -> List.of();
    };
  }
}
