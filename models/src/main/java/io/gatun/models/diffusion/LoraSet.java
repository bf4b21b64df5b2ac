package io.gatun.models.diffusion;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.WeightMerge;
import io.gatun.models.nn.WeightNames;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// The files of low-rank adaptations that a pipeline is loaded with.
public final class LoraSet implements AutoCloseable {
  private static final int LISTED = 5;

  private final List<Lora> loras = new ArrayList<>();
  // The changed weights live as long as any network uses them.
  private final Arena arena = Arena.ofAuto();

  private LoraSet() {}

  /// Opens files, each with how strong it is to be.
  ///
  /// @throws CheckpointException as [Lora#open] does
  public static LoraSet open(Map<Path, Double> files) {
    var set = new LoraSet();
    try {
      files.forEach((file, scale) -> set.loras.add(Lora.open(file, scale)));
      return set;
    } catch (RuntimeException | Error e) {
      set.close();
      throw e;
    }
  }

  /// What adds them to the weights of one part of the pipeline.
  ///
  /// @param part `unet`, `text_encoder` or `text_encoder_2`
  /// @param unet the UNet's configuration
  /// @param f the operations of the part's network
  public WeightMerge merge(String part, JsonKeys unet, Functional f) {
    return loras.isEmpty()
        ? WeightMerge.NONE
        : new LoraMerge(loras, part, part.equals("unet") ? ldmNames(unet) : null, f, arena);
  }

  /// The names by which kohya-ss trains SDXL; only UNets of equally deep blocks have them.
  private static WeightNames ldmNames(JsonKeys unet) {
    return unet.json().path("layers_per_block").isInt()
        ? LdmNames.unet(unet.texts("up_block_types"), unet.count("layers_per_block"))
        : null;
  }

  /// Checks, once all networks are there, that each file found its place.
  ///
  /// @param notices is told of files that did in part
  /// @throws CheckpointException if one fits nothing
  public void checkFits(Consumer<String> notices) {
    for (Lora lora : loras) {
      List<String> unused = lora.unused();
      String listed =
          String.join(", ", unused.subList(0, Math.min(LISTED, unused.size())))
              + (unused.size() > LISTED ? ", ..." : "");
      if (lora.used() == 0) {
        throw new CheckpointException(
            "%s fits nothing in this model: it adapts %d modules, such as %s. It was made for a model of another architecture"
                .formatted(lora.path(), lora.size(), listed));
      }
      if (!unused.isEmpty()) {
        notices.accept(
            "%s: %d of its entries have no place in this model and are left out: %s"
                .formatted(lora.path(), unused.size(), listed));
      }
    }
  }

  @Override
  public void close() {
    loras.forEach(Lora::close);
  }
}
