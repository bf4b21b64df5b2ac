package io.gatun.models.lora;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.JsonTree;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Dequantization.LowRank;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A low-rank adaptation of a language model (Hu et al. 2021, "LoRA"), as PEFT writes it:
/// adapter_config.json and adapter_model.safetensors.
///
///     y = x W^T + scale * alpha / r * (x A^T) B^T
///
/// The weights stay what and where they are, mapped and quantized: the product with A and B is a
/// second one beside theirs. Merged, a mapped matrix would have to be copied, and a quantized one
/// rounded again; of a rank of 16, the second product is about one hundredth of the first.
public final class PeftAdapter {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private static final Pattern NAME =
      Pattern.compile("(?:base_model\\.model\\.)?(.+)\\.lora_([AB])(?:\\.default)?\\.weight");

  /// Keys that change what an adaptation is, and what they are where they change nothing.
  private static final Map<String, List<String>> REFUSED =
      Map.of(
          "use_dora", List.of("false"),
          "bias", List.of("none"),
          "lora_bias", List.of("false"),
          "fan_in_fan_out", List.of("false"),
          "use_qalora", List.of("false"),
          "modules_to_save", List.of("", "[]"),
          "layer_replication", List.of("", "[]"),
          "trainable_token_indices", List.of("", "[]", "{}"),
          "target_parameters", List.of("", "[]"),
          "alora_invocation_tokens", List.of("", "[]"));

  private final Path folder;
  private final JsonNode config;
  private final double strength;

  private PeftAdapter(Path folder, JsonNode config, double strength) {
    this.folder = folder;
    this.config = config;
    this.strength = strength;
  }

  /// The checkpoint with matrices as adapters make them. What it makes lives as long as the
  /// checkpoint.
  ///
  /// @param adapters folders, or their adapter_model.safetensors, and how strong each is: 1 as it
  ///   was trained
  /// @throws CheckpointException if one is damaged, adapts what the model does not have, or adapts
  ///   in another way than by adding a product of two matrices
  public static Checkpoint adapted(Checkpoint checkpoint, Map<Path, Double> adapters) {
    if (adapters.isEmpty()) {
      return checkpoint;
    }
    if (checkpoint.format() == Format.GGUF) {
      throw new CheckpointException(
          "%s: is a GGUF file, whose matrices have other names than PEFT's adapters, and some their rows in another order; take the model in Hugging Face's form"
              .formatted(checkpoint.path()));
    }
    var base = QuantizedCheckpoint.of(checkpoint, Keys.of(checkpoint));
    var tensors = new LinkedHashMap<>(base.tensors());
    adapters.forEach(
        (path, strength) -> open(path, strength).apply(base, tensors, checkpoint.memory()));
    return base instanceof QuantizedCheckpoint q
        ? new QuantizedCheckpoint(q.stored(), tensors, q.origins())
        : new QuantizedCheckpoint(base, tensors, Map.of());
  }

  private static PeftAdapter open(Path path, double strength) {
    Path folder = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    Path file = folder.resolve("adapter_config.json");
    try {
      var adapter = new PeftAdapter(folder, JsonTree.read(file), strength);
      adapter.check(file);
      return adapter;
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: cannot be read: %s. A PEFT adapter is a folder with adapter_config.json and adapter_model.safetensors"
              .formatted(file, e.getMessage()),
          e);
    }
  }

  private void check(Path file) {
    String type = config.path("peft_type").asText();
    if (!type.equals("LORA")) {
      throw new CheckpointException(
          "%s: \"peft_type\" is \"%s\"; Gatun knows LORA".formatted(file, type));
    }
    REFUSED.forEach(
        (key, harmless) -> {
          JsonNode value = config.path(key);
          String text = value.isContainerNode() ? value.toString() : value.asText("");
          if (!value.isMissingNode() && !value.isNull() && !harmless.contains(text)) {
            throw new CheckpointException(
                "%s: \"%s\" is %s; Gatun adds products of two matrices and nothing else, and half of an adaptation would be wrong"
                    .formatted(file, key, value));
          }
        });
    String init = config.path("init_lora_weights").asText("");
    if (init.matches("(?i)(pissa|olora|corda|loftq|lora_ga).*")) {
      throw new CheckpointException(
          "%s: \"init_lora_weights\" is \"%s\", which has changed the model's own weights, too; convert the adapter to plain LoRA with PEFT's save_pretrained(path_initial_model_for_weight_conversion=...)"
              .formatted(file, init));
    }
  }

  private void apply(Checkpoint base, Map<String, Tensor> tensors, Arena memory) {
    try (var file = Checkpoint.open(folder.resolve("adapter_model.safetensors"))) {
      var downs = new LinkedHashMap<String, Tensor>();
      var ups = new LinkedHashMap<String, Tensor>();
      for (var entry : file.tensors().entrySet()) {
        var name = NAME.matcher(entry.getKey());
        if (!name.matches()) {
          throw new CheckpointException(
              "%s: tensor \"%s\" is no lora_A or lora_B of a linear layer; Gatun adds products of two matrices and nothing else"
                  .formatted(file.path(), entry.getKey()));
        }
        (name.group(2).equals("A") ? downs : ups).put(name.group(1), entry.getValue());
      }
      if (downs.isEmpty() || !downs.keySet().equals(ups.keySet())) {
        throw new CheckpointException(
            "%s: %d layers have a lora_A and %d a lora_B; need both of the same ones"
                .formatted(file.path(), downs.size(), ups.size()));
      }
      downs.forEach(
          (module, down) -> {
            var up = ups.get(module);
            String own = module + ".weight";
            var matrix = tensors.get(own);
            if (matrix == null || matrix.shape().rank() != 2) {
              throw new CheckpointException(
                  "%s: adapts \"%s\", which is no matrix of %s. List that with: gatun inspect %s"
                      .formatted(file.path(), own, base.path(), base.path()));
            }
            if (down.shape().rank() != 2
                || up.shape().rank() != 2
                || down.dim(1) != matrix.dim(1)
                || up.dim(0) != matrix.dim(0)
                || up.dim(1) != down.dim(0)) {
              throw new CheckpointException(
                  "%s: lora_A of \"%s\" is %s and lora_B %s; the model's matrix is %s: need (r, %d) and (%d, r)"
                      .formatted(
                          file.path(),
                          module,
                          down.shape(),
                          up.shape(),
                          matrix.shape(),
                          matrix.dim(1),
                          matrix.dim(0)));
            }
            tensors.put(own, adapted(matrix, down, up, scale(module, down.dim(0)), memory));
          });
    }
  }

  /// What B A is multiplied by.
  private float scale(String module, long rank) {
    double r = pattern("rank_pattern", module, config.path("r").asDouble(8));
    double alpha = pattern("alpha_pattern", module, config.path("lora_alpha").asDouble(8));
    if (r != rank) {
      throw new CheckpointException(
          "%s: the rank of \"%s\" is %d in adapter_model.safetensors, but %s in adapter_config.json"
              .formatted(folder, module, rank, r));
    }
    boolean isRootScaled = config.path("use_rslora").asBoolean();
    return (float) (strength * alpha / (isRootScaled ? Math.sqrt(r) : r));
  }

  /// What a table says of layers whose names end so, or the usual.
  private double pattern(String table, String module, double usual) {
    for (var entry : config.path(table).properties()) {
      Matcher matcher = Pattern.compile("(.*\\.)?(" + entry.getKey() + ")").matcher(module);
      if (matcher.matches()) {
        return entry.getValue().asDouble();
      }
    }
    return usual;
  }

  /// A matrix with one more adaptation: those of several adapters lie one behind the other.
  private static Tensor adapted(Tensor matrix, Tensor down, Tensor up, float scale, Arena memory) {
    var how = matrix.dequantization() == null ? Dequantization.NONE : matrix.dequantization();
    var before = how.lowRank();
    long held = before == null ? 0 : before.down().dim(0);
    long rank = held + down.dim(0);
    long n = matrix.dim(0);
    long k = matrix.dim(1);
    var downs = Tensor.allocate(memory, DType.Plain.F32, rank, k);
    var ups = Tensor.allocate(memory, DType.Plain.F32, rank, n);
    try (var arena = Arena.ofConfined()) {
      if (before != null) {
        MemorySegment.copy(before.down().segment(), 0, downs.segment(), 0, 4 * held * k);
        MemorySegment.copy(before.up().segment(), 0, ups.segment(), 0, 4 * held * n);
      }
      var a = Ops.toF32(down, arena).segment();
      MemorySegment.copy(a, 0, downs.segment(), 4 * held * k, a.byteSize());
      var b = Ops.toF32(up, arena).segment();
      for (long r = held; r < rank; r++) {
        for (long i = 0; i < n; i++) {
          float v = scale * b.getAtIndex(FLOAT, i * (rank - held) + r - held);
          ups.segment().setAtIndex(FLOAT, r * n + i, v);
        }
      }
    }
    return matrix.dequantized(how.withLowRank(new LowRank(downs, ups)));
  }
}
