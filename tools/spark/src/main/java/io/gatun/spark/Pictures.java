package io.gatun.spark;

import io.gatun.models.StableDiffusion;
import java.util.Map;

/// Pictures of texts, as PNG.
final class Pictures {
  private Pictures() {}

  static byte[] of(StableDiffusion model, GatunOptions options, String prompt, long seed) {
    var made =
        model.imagine(
            prompt,
            o -> {
              o.seed(seed & 0xFFFF_FFFFL); // what programs of others take, too
              if (options.steps != null) {
                o.steps(options.steps);
              }
              if (options.guidance != null) {
                o.guidance(options.guidance);
              }
              if (options.width != null) {
                o.size(options.width, options.height);
              }
              if (options.negative != null) {
                o.negative(options.negative);
              }
            });
    return made.image().png(Map.of());
  }
}
