package io.gatun.models.diffusion.lora;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.lora.LoraNames.Role;
import io.gatun.models.nn.WeightNames;
import io.gatun.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// A file of adaptations: for some modules a matrix to add to the weight, mostly as the product of
/// two thin ones (Hu et al. 2021, "LoRA", arXiv:2106.09685, equation 3), see [Adaptation].
///
/// Files come in the layouts of kohya-ss/sd-scripts, of diffusers, of PEFT, of LyCORIS and others,
/// which [LoraNames] tells apart.
public final class Lora implements AutoCloseable {
  private static final String WEIGHT = ".weight";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Checkpoint checkpoint;
  private final Map<String, WeightChange> changes = new LinkedHashMap<>();
  private final TreeSet<String> unknown = new TreeSet<>();
  private final TreeSet<String> used = new TreeSet<>();

  private Lora(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /// Opens a file.
  ///
  /// @param scale how strong the adaptation is: 1 as it was trained; may be negative
  /// @throws CheckpointException if it is damaged, has no adaptations, or adapts in another way
  ///   than by a matrix
  public static Lora open(Path file, double scale) {
    var checkpoint = Checkpoint.open(file);
    try {
      var lora = new Lora(checkpoint);
      lora.read(scale);
      return lora;
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private void read(double strength) {
    JsonNode peft = metadata();
    var modules = new LinkedHashMap<String, Map<Role, Tensor>>();
    checkpoint
        .tensors()
        .forEach(
            (name, tensor) -> {
              String other = LoraNames.unsupported(name);
              if (other != null) {
                throw new CheckpointException(
                    "%s: \"%s\" belongs to %s; Gatun adds matrices to weights, and half of an adaptation would be wrong"
                        .formatted(path(), name, other));
              }
              LoraNames.Key key = LoraNames.key(name);
              if (key == null) {
                unknown.add(name);
              } else {
                modules
                    .computeIfAbsent(key.module(), _ -> new EnumMap<>(Role.class))
                    .put(key.role(), tensor);
              }
            });
    modules.values().removeIf(parts -> Set.of(Role.ALPHA).equals(parts.keySet()));
    modules.forEach(
        (module, parts) ->
            changes.put(module, new Parts(path(), module, parts, alpha(module, peft)).change(strength)));
    if (changes.isEmpty()) {
      throw new CheckpointException(
          "%s: no adaptations; need tensors as lora_unet_....lora_down.weight or unet....lora_A.weight. List the file with: gatun inspect %s"
              .formatted(path(), path()));
    }
  }

  /// What PEFT says of the factor of a module in its metadata.
  private static Parts.Alpha alpha(String module, JsonNode peft) {
    String part = module.contains(".") ? module.substring(0, module.indexOf('.')) : "";
    JsonNode alpha = peft.path(part + ".lora_alpha");
    return alpha.isNumber()
        ? new Parts.Alpha(alpha.doubleValue(), peft.path(part + ".use_rslora").asBoolean())
        : null;
  }

  /// What diffusers writes of PEFT's configuration, by part: `unet.lora_alpha`.
  private JsonNode metadata() {
    Object text = checkpoint.metadata().get("lora_adapter_metadata");
    if (!(text instanceof String json)) {
      return MissingNode.getInstance();
    }
    try {
      JsonNode keys = JSON.readTree(json);
      for (Map.Entry<String, JsonNode> key : keys.properties()) {
        if (key.getKey().endsWith(".alpha_pattern") && !key.getValue().isEmpty()) {
          throw new CheckpointException(
              "%s: its metadata have %s, alphas by patterns of names, which Gatun does not have"
                  .formatted(path(), key.getKey()));
        }
      }
      return keys;
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          "%s: lora_adapter_metadata is not JSON: %s".formatted(path(), e.getOriginalMessage()), e);
    }
  }

  public Path path() {
    return checkpoint.path();
  }

  /// How many modules the file adapts.
  public int size() {
    return changes.size();
  }

  /// The modules that have found their place, by the file's names.
  public Set<String> used() {
    return Collections.unmodifiableSet(used);
  }

  /// How the weight of a module changes, or null if it does not.
  ///
  /// @param part of the pipeline: `unet`, `transformer`, `text_encoder`
  /// @param module by diffusers' or transformers' name:
  ///   `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`
  /// @param originals where others keep the part's weights, by whose names some layouts go
  WeightChange find(String part, String module, List<WeightNames> originals) {
    WeightChange own = find(LoraNames.candidates(part, module));
    if (own != null) {
      return own;
    }
    for (var original : originals) {
      var stored = original.stored(module + WEIGHT);
      String name = stored.name().substring(0, stored.name().length() - WEIGHT.length());
      WeightChange there = find(LoraNames.originals(name));
      if (there != null) {
        return there.of(stored);
      }
    }
    return null;
  }

  private WeightChange find(List<String> names) {
    for (String name : names) {
      WeightChange change = changes.get(name);
      if (change != null) {
        used.add(name);
        return change;
      }
    }
    return null;
  }

  /// What in the file has found no place yet: adapted modules, and tensors of other kinds.
  public List<String> unused() {
    var all = new TreeSet<>(unknown);
    all.addAll(changes.keySet());
    all.removeAll(used);
    return List.copyOf(all);
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
