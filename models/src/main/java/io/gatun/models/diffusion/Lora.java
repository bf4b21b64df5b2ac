package io.gatun.models.diffusion;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightNames;
import io.gatun.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// A file of low-rank adaptations: for some modules a matrix to add to the weight, as the product of
/// two thin ones (Hu et al. 2021, "LoRA", arXiv:2106.09685, equation 3).
///
///     W' = W + scale * (alpha / rank) * up * down
///
/// Files come in the layouts of kohya-ss/sd-scripts, of diffusers and of PEFT, which [LoraNames]
/// tells apart.
public final class Lora implements AutoCloseable {
  /// What is added to one weight: `scale * up * down`.
  ///
  /// @param down (R, K), of a convolution (R, I, kernelHeight, kernelWidth)
  /// @param up (N, R), of a convolution (O, R, 1, 1)
  public record Delta(Tensor down, Tensor up, double scale) {
    public long rank() {
      return down.dim(0);
    }

    /// What of it is for a weight that is rows of the one that it adapts.
    private Delta rows(WeightNames.Stored stored) {
      return new Delta(down, stored.rowsOf(up), scale);
    }
  }

  private static final String WEIGHT = ".weight";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Checkpoint checkpoint;
  private final Map<String, Delta> deltas = new LinkedHashMap<>();
  private final TreeSet<String> unknown = new TreeSet<>();
  private final TreeSet<String> used = new TreeSet<>();

  private Lora(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /// Opens a file.
  ///
  /// @param scale how strong the adaptation is: 1 as it was trained; may be negative
  /// @throws CheckpointException if it is damaged, has no adaptations, or adapts in another way
  ///   than by adding a product of two matrices
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

  private void read(double scale) {
    JsonNode peft = metadata();
    for (String name : checkpoint.tensors().keySet()) {
      String other = LoraNames.unsupported(name);
      if (other != null) {
        throw new CheckpointException(
            "%s: \"%s\" belongs to %s; Gatun has LoRA's products of two matrices, and half of an adaptation would be wrong"
                .formatted(path(), name, other));
      }
      LoraNames.Key key = LoraNames.key(name);
      if (key == null) {
        if (!name.endsWith(".alpha")) {
          unknown.add(name);
        }
      } else if (key.isDown()) {
        deltas.put(key.module(), delta(key, name, scale, peft));
      }
    }
    if (deltas.isEmpty()) {
      throw new CheckpointException(
          "%s: no adaptations; need tensors as lora_unet_....lora_down.weight or unet....lora_A.weight. List the file with: gatun inspect %s"
              .formatted(path(), path()));
    }
  }

  private Delta delta(LoraNames.Key key, String name, double scale, JsonNode peft) {
    Tensor down = checkpoint.tensor(name);
    Tensor up = checkpoint.tensor(key.upName());
    if (down.shape().rank() < 2
        || up.shape().rank() < 2
        || up.dim(1) != down.dim(0)
        || up.size() != up.dim(0) * up.dim(1)) {
      throw new CheckpointException(
          "%s: \"%s\" is %s and \"%s\" %s; need (rank, in) or (rank, in, height, width), and (out, rank) of the same rank"
              .formatted(path(), name, down.shape(), key.upName(), up.shape()));
    }
    return new Delta(down, up, scale * factor(key.module(), down.dim(0), peft));
  }

  /// alpha / rank; 1 where the file says nothing.
  private double factor(String module, long rank, JsonNode peft) {
    String name = module + ".alpha";
    if (checkpoint.tensors().containsKey(name)) {
      Tensor alpha = checkpoint.tensor(name);
      if (alpha.size() != 1) {
        throw new CheckpointException(
            "%s: \"%s\" is %s; need one number".formatted(path(), name, alpha.shape()));
      }
      return alpha.toFloats()[0] / rank;
    }
    String part = module.contains(".") ? module.substring(0, module.indexOf('.')) : "";
    JsonNode alpha = peft.path(part + ".lora_alpha");
    if (!alpha.isNumber()) {
      return 1;
    }
    boolean rootScaled = peft.path(part + ".use_rslora").asBoolean();
    return alpha.doubleValue() / (rootScaled ? Math.sqrt(rank) : rank);
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
    return deltas.size();
  }

  /// The modules that have found their place, by the file's names.
  public Set<String> used() {
    return Collections.unmodifiableSet(used);
  }

  /// What is added to the weight of a module, or null.
  ///
  /// @param part of the pipeline: `unet`, `transformer`, `text_encoder`
  /// @param module by diffusers' or transformers' name:
  ///   `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`
  /// @param original where the makers' own files keep the part's weights, by whose names some
  ///   layouts go; null where they have the same names
  public Delta find(String part, String module, WeightNames original) {
    Delta own = find(LoraNames.candidates(part, module));
    if (own != null || original == null) {
      return own;
    }
    var stored = original.stored(module + WEIGHT);
    String name = stored.name().substring(0, stored.name().length() - WEIGHT.length());
    Delta there = find(LoraNames.originals(name));
    return there == null ? null : there.rows(stored);
  }

  private Delta find(List<String> names) {
    for (String name : names) {
      Delta delta = deltas.get(name);
      if (delta != null) {
        used.add(name);
        return delta;
      }
    }
    return null;
  }

  /// What in the file has found no place yet: adapted modules, and tensors of other kinds.
  public List<String> unused() {
    var all = new TreeSet<>(unknown);
    all.addAll(deltas.keySet());
    all.removeAll(used);
    return List.copyOf(all);
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
