package io.gatun.models.quantized;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// What a model's configuration says of how it was quantized. Which layers are, and to how many
/// bits, the tensors tell, so that lists of exceptions and rules for single layers are followed as
/// they were when the checkpoint was written; here is what tensors do not tell.
final class QuantizationConfig {
  private static final String SECTION = "quantization_config";

  /// For MLX, which names no method.
  private static final String MLX = "mlx";

  /// Keys of each method that its tensors tell as well, or that change no values.
  private static final Map<String, Pattern> HARMLESS =
      Map.ofEntries(
          Map.entry(
              "gptq",
              Pattern.compile(
                  "bits|group_size|desc_act|sym|damp_.*|static_groups|true_sequential|model_.*"
                      + "|lm_head|meta|use_.*|exllama_config|max_input_length|dynamic|dataset"
                      + "|block_name_to_quantize|cache_block_outputs|module_name_.*|batch_size"
                      + "|pad_token_id|tokenizer|modules_.*|backend|disable_exllama|mse|quantizer"
                      + "|hyb_act|v2|act_group_aware|offload_.*|pack_impl")),
          Map.entry(
              "awq",
              Pattern.compile(
                  "group_size|zero_point|modules_.*|backend|do_fuse|exllama_config"
                      + "|fuse_max_seq_len|model_.*")),
          Map.entry(
              "compressed-tensors",
              Pattern.compile(
                  "global_compression_ratio|ignore|kv_cache_scheme|quantization_status|version")),
          Map.entry(
              "fp8",
              Pattern.compile(
                  "activation_scheme|modules_.*|ignored_layers|scale_fmt|kv_cache_scheme|dequantize")),
          Map.entry("fbgemm_fp8", Pattern.compile("activation_scale_ub|modules_.*")),
          Map.entry(
              "modelopt",
              Pattern.compile(
                  "config_groups|ignore|exclude_modules|kv_cache_.*|producer|group_size|quantization")),
          Map.entry("bitsandbytes", Pattern.compile("_?load_in_[48]bit|bnb_4bit_.*|llm_int8_.*")),
          Map.entry("hqq", Pattern.compile("skip_modules|quant_config")),
          Map.entry(
              "torchao",
              Pattern.compile(
                  "quant_type(_kwargs)?|include_input_output_embeddings|modules_.*|untie_.*")),
          Map.entry("mxfp4", Pattern.compile("modules_.*|dequantize")),
          Map.entry(
              "auto-round",
              Pattern.compile(
                  "bits|group_size|sym|data_type|autoround_version|iters|nsamples|seqlen|batch_size|lr"
                      + "|minmax_lr|low_gpu_mem_usage|enable_.*|amp|gradient_accumulate_steps|block_.*"
                      + "|to_quant_block_names|extra_config|quant_block_list|modules_.*|dataset|damp_.*"
                      + "|desc_act|true_sequential|scale_dtype|act_.*|super_.*|not_use_best_mse")));

  private static final Set<String> AUTO_ROUND =
      Set.of("auto_round:auto_gptq", "auto_round:gptq", "auto_round:auto_awq");

  private static final Set<String> COMPRESSED =
      Set.of(
          "pack-quantized",
          "int-quantized",
          "float-quantized",
          "naive-quantized",
          "nvfp4-pack-quantized",
          "mixed-precision",
          "dense");

  private static final Set<String> MODELOPT = Set.of("FP8", "NVFP4");

  private final JsonKeys keys;
  private final String method;

  /// @param method null for none
  private QuantizationConfig(JsonKeys keys, String method) {
    this.keys = keys;
    this.method = method;
  }

  /// Reads what config.json says, or, where it says nothing, the file of an older tool beside it.
  ///
  /// @throws CheckpointException if it is of a kind that Gatun does not read
  static QuantizationConfig of(JsonKeys config, Path checkpoint) {
    JsonKeys section = null;
    for (String name : List.of(SECTION, "quantization", "compression_config")) {
      if (!config.isAbsent(name) && section == null) {
        section = config.section(name);
      }
    }
    String assumed = null;
    Path folder = Files.isDirectory(checkpoint) ? checkpoint : checkpoint.resolveSibling("");
    Path gptq = folder.resolve("quantize_config.json");
    if (section == null && Files.exists(gptq)) {
      section = JsonKeys.read(gptq);
      assumed = "gptq";
    }
    Path modelopt = folder.resolve("hf_quant_config.json");
    if (section == null && Files.exists(modelopt)) {
      section = JsonKeys.read(modelopt).section("quantization");
      assumed = "modelopt";
    }
    if (section == null) {
      return new QuantizationConfig(config, null);
    }
    var read = new QuantizationConfig(section, method(section, assumed));
    read.check();
    return read;
  }

  private static String method(JsonKeys section, String assumed) {
    String named =
        section.text(
            "quant_method", section.text("quant_algo", null) != null ? "modelopt" : assumed);
    if (named != null) {
      return named;
    }
    return section.isAbsent("group_size") || section.isAbsent("bits") ? "" : MLX;
  }

  private void check() {
    switch (method) {
      case "gptq" -> {
        for (String key : List.of("checkpoint_format", "format")) {
          allow(key, Set.of("gptq", "gptq_v2"));
        }
        keys.requireFlag("is_marlin_format", false);
        allow("pack_dtype", Set.of("int32"));
      }
      case "awq" -> {
        allow("version", Set.of("gemm", "GEMM"));
        keys.require("bits", 4);
      }
      case "auto-round" -> {
        allow("packing_format", AUTO_ROUND);
        allow("data_type", Set.of("int"));
      }
      case "compressed-tensors" -> compressedTensors();
      case "fp8" -> {
        allow("fmt", Set.of("e4m3", "float8_e4m3fn"));
        keys.isAbsent("weight_block_size");
      }
      case "modelopt" -> allow("quant_algo", MODELOPT);
      case MLX -> {
        allow("mode", Set.of("affine"));
        return; // all else is layers' names
      }
      default -> {
        if (!HARMLESS.containsKey(method)) {
          throw wrong(
              method.isEmpty()
                  ? "\"quant_method\" is missing"
                  : "\"quant_method\" is \"" + method + "\"",
              HARMLESS.keySet());
        }
      }
    }
    keys.requireAllRead(HARMLESS.get(method));
  }

  private void compressedTensors() {
    allow("format", COMPRESSED);
    var sparsity = keys.section("sparsity_config");
    if (!List.of("", "dense").contains(sparsity.text("format", ""))) {
      throw wrong("\"sparsity_config\" is not dense", Set.of("dense"));
    }
    for (var group : keys.section("config_groups").json().properties()) {
      JsonNode weights = group.getValue().path("weights");
      String type = weights.path("type").asText("int") + weights.path("num_bits").asInt(4);
      Set<String> known = Set.of("int2", "int4", "int8", "float8", "float4");
      if (weights.isObject() && !known.contains(type)) {
        throw wrong("\"config_groups\" has weights of type " + type, known);
      }
      String format = group.getValue().path("format").asText("dense");
      if (!COMPRESSED.contains(format)) {
        throw wrong("\"config_groups\" has the format \"" + format + "\"", COMPRESSED);
      }
    }
  }

  /// Requires one of some values, if there is any.
  private void allow(String key, Set<String> known) {
    String value = keys.text(key, null);
    if (value != null && !known.contains(value)) {
      throw wrong("\"%s\" is \"%s\"".formatted(key, value), known);
    }
  }

  private CheckpointException wrong(String found, Set<String> known) {
    var sorted = new ArrayList<>(known);
    sorted.sort(null);
    return new CheckpointException(
        "%s%s: %s; Gatun reads %s%s"
            .formatted(
                keys.where(),
                keys.where().endsWith(SECTION) ? "" : " (" + SECTION + ")",
                found,
                String.join(", ", sorted),
                known.equals(HARMLESS.keySet()) ? " and MLX's" : ""));
  }

  /// Whether layers with a `qweight` are GPTQ's, and not AWQ's.
  ///
  /// @throws CheckpointException if the configuration does not tell
  boolean isGptq() {
    return switch (method == null ? "" : method) {
      case "gptq" -> true;
      case "awq" -> false;
      case "auto-round" -> !keys.text("packing_format", "").endsWith("awq");
      default ->
          throw new CheckpointException(
              keys.where()
                  + ": tensors called qweight are GPTQ's or AWQ's; need a quantization_config that"
                  + " says whose");
    };
  }

  /// Whether GPTQ's zero points are stored less by one.
  boolean zeroPointsAreLess() {
    String format = keys.text("checkpoint_format", keys.text("format", "gptq"));
    return !format.equals("gptq_v2");
  }

  /// The rows of a block of FP8 that share a scale.
  int blockRows() {
    return block(0);
  }

  /// The columns of such a block.
  int blockColumns() {
    return block(1);
  }

  private int block(int i) {
    if (method == null || keys.isAbsent("weight_block_size")) {
      return 128;
    }
    var sizes = keys.counts("weight_block_size", 2);
    return sizes.get(i);
  }

  /// The columns that share a scale in a layer of MLX.
  int groupSize(String layer) {
    if (!MLX.equals(method)) {
      throw new CheckpointException(
          keys.where()
              + ": tensors called scales and biases are MLX's; need its \"quantization\" with"
              + " group_size and bits");
    }
    JsonNode own = keys.json().path(layer).path("group_size");
    return own.isInt() ? own.intValue() : keys.count("group_size");
  }

  /// Requires that a checkpoint that is said to be quantized has so many layers that are.
  void requireLayers(int layers) {
    boolean others = method == null || method.equals("mxfp4");
    if (layers == 0 && !others) {
      throw new CheckpointException(
          "%s: says that the model is quantized (%s), but no tensors of that kind are there: the configuration belongs to another checkpoint"
              .formatted(keys.where(), method));
    }
  }
}
