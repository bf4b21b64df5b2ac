package io.gatun.models.diffusion.lora;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.files.OriginalNames;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.WeightMerge;
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
  /// @param part `unet`, `transformer`, `text_encoder`
  /// @param config the part's configuration
  /// @param f the operations of the part's network
  public WeightMerge merge(String part, JsonKeys config, Functional f) {
    return loras.isEmpty()
        ? WeightMerge.NONE
        : new LoraMerge(loras, part, OriginalNames.of(part, config), f, arena);
  }

  /// What each file adapted, and what of it has no place, once all networks are there.
  public List<AppliedLora> applied() {
    return loras.stream()
        .map(lora -> new AppliedLora(lora.path(), List.copyOf(lora.used()), lora.unused()))
        .toList();
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
      if (lora.used().isEmpty()) {
        throw new CheckpointException(
            "%s fits nothing in this model: it adapts %d modules, such as %s. It was made for a model of another architecture"
                .formatted(lora.path(), lora.size(), listed));
      }
      if (!unused.isEmpty()) {
        notices.accept(
            "%s: %d of its entries have no place in this model and are left out, %d are applied: %s"
                .formatted(lora.path(), unused.size(), lora.used().size(), listed));
      }
    }
  }

  @Override
  public void close() {
    loras.forEach(Lora::close);
  }
}
