package io.gatun.tools.bench.synthetic;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.diffusion.files.KnownPipeline;
import io.gatun.models.nn.DeclaredTensors;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/// Pipelines with the shapes of known ones and random weights, as diffusers lays them out, for
/// measuring speed. Which tensors there are, the networks say themselves.
public final class SyntheticDiffusion {
  private static final Map<String, Supplier<JsonNode>> SHAPES = new LinkedHashMap<>();

  static {
    SHAPES.put("sd15", KnownPipeline.SD1::configs);
    SHAPES.put("sdxl", KnownPipeline.SDXL::configs);
    SHAPES.put("pixart", TransformerShapes.PIXART::configs);
    SHAPES.put("sd35-medium", TransformerShapes.SD35_MEDIUM::configs);
    SHAPES.put("flux2-klein", TransformerShapes.FLUX2_KLEIN::configs);
    SHAPES.put("z-image", TransformerShapes.Z_IMAGE::configs);
  }

  private SyntheticDiffusion() {}

  /// What the command line calls them.
  public static Set<String> shapes() {
    return Collections.unmodifiableSet(SHAPES.keySet());
  }

  /// The pipeline's directory in the cache, written if it is not there yet.
  public static Path checkpoint(String shape, DType.Plain dtype) {
    Path dir;
    try {
      dir =
          UserCache.openLasting("synthetic/" + shape + "-" + dtype.name().toLowerCase(Locale.ROOT));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Path index = dir.resolve("model_index.json");
    if (!Files.exists(index)) {
      var configs = SHAPES.get(shape).get();
      var parts = (ObjectNode) configs.path("model_index");
      for (var part : configs.properties()) {
        String name = part.getKey();
        if (!name.equals("model_index")) {
          write(dir.resolve(name), name, part.getValue(), dtype);
          parts.putArray(name).add("diffusers").add(name);
        }
      }
      try {
        AtomicFile.write(index, parts.toString()); // last: it marks a complete pipeline
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return dir;
  }

  private static void write(Path dir, String part, JsonNode config, DType.Plain dtype) {
    try {
      Files.createDirectories(dir);
      AtomicFile.write(dir.resolve("config.json"), config.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    try (var declared = new DeclaredTensors()) {
      var keys = new JsonKeys(config, part);
      var weights = Weights.of(declared);
      switch (part) {
        case "unet" -> DenoisingStep.unet(keys, weights);
        case "transformer" -> DenoisingStep.transformer(keys, weights);
        case "vae" -> new AutoencoderKL(AutoencoderKLConfig.of(keys), weights);
        case "text_encoder" -> new CLIPTextModel(CLIPTextConfig.of(keys), weights);
        case "text_encoder_2" -> new CLIPTextModelWithProjection(CLIPTextConfig.of(keys), weights);
        default -> {} // a scheduler has no weights
      }
      if (!declared.shapes().isEmpty()) {
        var writer = new SafetensorsWriter();
        declared
            .shapes()
            .forEach(
                (name, shape) ->
                    writer.add(name, dtype, shape, RandomWeights.data(dtype, shape.dims())));
        writer.write(dir.resolve("model.safetensors"));
      }
    }
  }
}
