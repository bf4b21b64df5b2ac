package io.gatun.models.decoder;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A model's configuration under the names that config.json has, whichever file it comes from:
/// config.json itself, Meta's params.json, or a GGUF file's metadata.
public final class Keys extends JsonKeys {
  /// config.json's keys, and what GGUF calls them behind the architecture's name.
  private static final Map<String, String> GGUF =
      Map.ofEntries(
          Map.entry("hidden_size", "embedding_length"),
          Map.entry("intermediate_size", "feed_forward_length"),
          Map.entry("num_hidden_layers", "block_count"),
          Map.entry("num_attention_heads", "attention.head_count"),
          Map.entry("num_key_value_heads", "attention.head_count_kv"),
          Map.entry("head_dim", "attention.key_length"),
          Map.entry("v_head_dim", "attention.value_length"),
          Map.entry("vocab_size", "vocab_size"),
          Map.entry("max_position_embeddings", "context_length"),
          Map.entry("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
          Map.entry("layer_norm_eps", "attention.layer_norm_epsilon"),
          Map.entry("sliding_window", "attention.sliding_window"),
          Map.entry("sliding_window_pattern", "attention.sliding_window_pattern"),
          Map.entry("num_local_experts", "expert_count"),
          Map.entry("num_experts_per_tok", "expert_used_count"),
          Map.entry("moe_intermediate_size", "expert_feed_forward_length"),
          Map.entry("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
          Map.entry("norm_topk_prob", "expert_weights_norm"),
          Map.entry("routed_scaling_factor", "expert_weights_scale"),
          Map.entry("first_k_dense_replace", "leading_dense_block_count"),
          Map.entry("q_lora_rank", "attention.q_lora_rank"),
          Map.entry("kv_lora_rank", "attention.kv_lora_rank"),
          Map.entry("qk_head_dim", "attention.key_length_mla"),
          Map.entry("v_head_dim_mla", "attention.value_length_mla"),
          Map.entry("head_dim_swa", "attention.key_length_swa"),
          Map.entry("v_head_dim_swa", "attention.value_length_swa"),
          Map.entry("rope_dim_swa", "rope.dimension_count_swa"),
          Map.entry("shared_kv_layers", "attention.shared_kv_layers"),
          Map.entry("hidden_size_per_layer_input", "embedding_length_per_layer_input"),
          Map.entry("expert_gating_func", "expert_gating_func"),
          Map.entry("n_group", "expert_group_count"),
          Map.entry("topk_group", "expert_group_used_count"),
          Map.entry("n_shared_experts", "expert_shared_count"),
          Map.entry("num_nextn_predict_layers", "nextn_predict_layers"),
          Map.entry("attn_logit_softcapping", "attn_logit_softcapping"),
          Map.entry("final_logit_softcapping", "final_logit_softcapping"),
          Map.entry("attention_multiplier", "attention.scale"),
          Map.entry("embedding_multiplier", "embedding_scale"),
          Map.entry("residual_multiplier", "residual_scale"),
          Map.entry("logit_scale", "logit_scale"),
          Map.entry("rope_theta", "rope.freq_base"),
          Map.entry("rope_local_base_freq", "rope.freq_base_swa"),
          Map.entry("llama_4_scaling_beta", "attention.temperature_scale"),
          Map.entry("conv_L_cache", "shortconv.l_cache"),
          Map.entry("full_attention_interval", "full_attention_interval"),
          Map.entry("mrope_section", "rope.dimension_sections"),
          Map.entry("conv_kernel", "ssm.conv_kernel"),
          Map.entry("ssm_state_size", "ssm.state_size"),
          Map.entry("n_groups", "ssm.group_count"),
          Map.entry("mamba_num_heads", "ssm.time_step_rank"),
          Map.entry("mamba_d_ssm", "ssm.inner_size"));

  private static final Map<String, String> GGUF_SCALING =
      Map.of(
          "rope_type", "rope.scaling.type",
          "factor", "rope.scaling.factor",
          "original_max_position_embeddings", "rope.scaling.original_context_length",
          "finetuned", "rope.scaling.finetuned",
          "beta_fast", "rope.scaling.yarn_beta_fast",
          "beta_slow", "rope.scaling.yarn_beta_slow",
          "attention_factor", "rope.scaling.attn_factor",
          "mscale", "rope.scaling.yarn_log_multiplier");

  private static final Map<String, String> META =
      Map.of(
          "hidden_size", "dim",
          "num_hidden_layers", "n_layers",
          "num_attention_heads", "n_heads",
          "num_key_value_heads", "n_kv_heads",
          "max_position_embeddings", "max_seq_len",
          "rms_norm_eps", "norm_eps");

  /// Lists that are longer are no configuration.
  private static final int MAX_LIST = 1024;

  private final Format format;
  private final String type;
  private final Map<String, String> names;

  private Keys(ObjectNode json, String where, Format format, Map<String, String> names) {
    super(json, where);
    this.format = format;
    this.names = names;
    type = text("model_type", "llama");
  }

  /// The configuration of a checkpoint: a GGUF file's metadata, or the config.json (Hugging Face)
  /// or params.json (Meta) beside the files.
  ///
  /// @throws CheckpointException if there is none
  public static Keys of(Checkpoint checkpoint) {
    Path path = checkpoint.path();
    if (checkpoint.format() == Format.GGUF) {
      return gguf(checkpoint.metadata(), path.toString());
    }
    Path dir = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    Path config = dir.resolve("config.json");
    Path params = dir.resolve("params.json");
    if (Files.exists(config)) {
      return huggingFace(config);
    }
    if (Files.exists(params)) {
      return meta(JsonKeys.read(params), checkpoint);
    }
    throw new CheckpointException(
        "%s: need config.json (Hugging Face) or params.json (Meta) in %s to know the model's heads"
                .formatted(path, dir)
            + " and layers; copy it there from where the checkpoint came from");
  }

  /// The keys of a config.json; of one that describes several networks, those of the one that
  /// writes text.
  ///
  /// @throws CheckpointException if it is missing or no JSON object
  public static Keys huggingFace(Path file) {
    var keys = JsonKeys.read(file);
    JsonNode json = keys.json();
    boolean nested = json.path("text_config").isObject();
    var text = (ObjectNode) (nested ? json.path("text_config") : json);
    if (nested && !text.has("model_type")) {
      text.set("model_type", json.path("model_type"));
    }
    if (nested && !text.has("quantization_config") && json.has("quantization_config")) {
      text.set("quantization_config", json.path("quantization_config"));
    }
    return new Keys(
        text, keys.where() + (nested ? ", text_config" : ""), Format.SAFETENSORS, Map.of());
  }

  private static Keys meta(JsonKeys params, Checkpoint checkpoint) {
    if (params.flag("use_scaled_rope", false)) {
      throw new CheckpointException(
          params.where()
              + ": use_scaled_rope does not say the factors; put Hugging Face's config.json of this"
              + " model beside the checkpoint");
    }
    var json = ((ObjectNode) params.json()).deepCopy();
    META.forEach(
        (name, meta) -> {
          if (json.has(meta)) {
            json.set(name, json.remove(meta));
          }
        });
    json.put("model_type", json.has("sliding_window") ? "mistral" : "llama");
    json.put("intermediate_size", rows(checkpoint, "layers.0.feed_forward.w1.weight"));
    json.put("vocab_size", rows(checkpoint, "tok_embeddings.weight"));
    if (!json.has("rms_norm_eps")) {
      json.put("rms_norm_eps", 1e-5);
    }
    return new Keys(json, params.where(), Format.PTH, META);
  }

  private static int rows(Checkpoint checkpoint, String name) {
    var shape = checkpoint.tensor(name).shape();
    if (shape.rank() != 2 || shape.dim(0) > Integer.MAX_VALUE) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s; need a matrix".formatted(checkpoint.path(), name, shape));
    }
    return (int) shape.dim(0);
  }

  private static Keys gguf(Map<String, Object> metadata, String where) {
    if (!(metadata.get("general.architecture") instanceof String architecture)) {
      throw new CheckpointException(
          "%s: metadata general.architecture is %s; need the name of an architecture"
              .formatted(where, UnknownKeys.shown(metadata.get("general.architecture") + "")));
    }
    String prefix = architecture + ".";
    var names = new HashMap<String, String>();
    GGUF.forEach((name, gguf) -> names.put(name, prefix + gguf));
    names.put("model_type", "general.architecture");
    var json = JsonNodeFactory.instance.objectNode();
    var scaling = json.putObject("rope_scaling");
    var unknown = new HashMap<>(metadata);
    json.put("model_type", architecture);
    GGUF.forEach((name, gguf) -> set(json, name, unknown.remove(prefix + gguf)));
    GGUF_SCALING.forEach((name, gguf) -> set(scaling, name, unknown.remove(prefix + gguf)));
    rope(json, scaling, unknown, prefix);
    if (!json.has("vocab_size") && metadata.get("tokenizer.ggml.tokens") instanceof List<?> l) {
      json.put("vocab_size", l.size());
    }
    set(json, "type_vocab_size", metadata.get("tokenizer.ggml.token_type_count"));
    unknown.forEach(
        (key, value) -> {
          boolean off = value instanceof Number n && n.doubleValue() == 0 || value.equals("");
          if (key.startsWith(prefix) && !off) {
            set(json, key, value);
          }
        });
    return new Keys(json, where, Format.GGUF, names);
  }

  /// What GGUF says of positions in another way than config.json.
  private static void rope(
      ObjectNode json, ObjectNode scaling, Map<String, Object> unknown, String prefix) {
    double factor = scaling.path("factor").asDouble(0);
    if (unknown.remove(prefix + "rope.scale_linear") instanceof Number n && factor == 0) {
      factor = n.doubleValue();
    }
    if (scaling.path("rope_type").asText("none").equals("none") && factor != 0 && factor != 1) {
      scaling.put("rope_type", "linear").put("factor", factor);
    }
    if (scaling.has("mscale")) {
      scaling.set("mscale_all_dim", scaling.get("mscale"));
    }
    if (unknown.remove(prefix + "rope.dimension_count") instanceof Number n) {
      double heads = json.path("num_attention_heads").asDouble();
      double dim = json.path("head_dim").asDouble(json.path("hidden_size").asDouble() / heads);
      if (n.doubleValue() != dim) {
        json.put("partial_rotary_factor", n.doubleValue() / dim);
      }
    }
  }

  private static void set(ObjectNode json, String name, Object value) {
    var node = node(value);
    if (node != null) {
      json.set(name, node);
    }
  }

  private static JsonNode node(Object value) {
    var make = JsonNodeFactory.instance;
    return switch (value) {
      case null -> null;
      case Boolean b -> make.booleanNode(b);
      case String s -> make.textNode(s);
      case Number n
          when n.doubleValue() == Math.rint(n.doubleValue()) && Math.abs(n.doubleValue()) < 1e15 ->
          make.numberNode((long) n.doubleValue());
      // The shortest decimal: what the maker of the file wrote before it became F32.
      case Float f -> make.numberNode(Double.parseDouble(f.toString()));
      case Number n -> make.numberNode(n.doubleValue());
      case List<?> list when list.size() <= MAX_LIST -> {
        ArrayNode array = make.arrayNode();
        list.forEach(v -> array.add(node(v)));
        yield array;
      }
      default -> make.textNode(value.toString());
    };
  }

  /// config.json's model_type, or GGUF's general.architecture.
  public String type() {
    return type;
  }

  public boolean isGguf() {
    return format == Format.GGUF;
  }

  /// A positive integer, or 0 for none.
  public int countOrNone(String key) {
    return isAbsent(key) || integer(key) == 0 ? 0 : count(key);
  }

  /// Counts keys as understood: what tensors show, and what changes no results.
  ///
  /// @param names a regular expression
  public void ignore(String names) {
    var pattern = Pattern.compile(names);
    json()
        .fieldNames()
        .forEachRemaining(
            name -> {
              if (pattern.matcher(name).matches()) {
                isAbsent(name);
              }
            });
  }

  /// How many layers the model has. Those behind them, which guess further tokens ahead, do not
  /// count: GGUF's number includes them.
  ///
  /// @throws CheckpointException if there are none
  public int layers() {
    int all = isAbsent("num_hidden_layers") ? listedLayers() : count("num_hidden_layers");
    int draft = countOrNone("num_nextn_predict_layers");
    if (isGguf() && draft >= all) {
      throw new CheckpointException(
          "%s: \"%s\" is %d of %d layers; need fewer"
              .formatted(where(), shown("num_nextn_predict_layers"), draft, all));
    }
    return isGguf() ? all - draft : all;
  }

  private int listedLayers() {
    if (!isAbsent("layers_block_type")) {
      return texts("layers_block_type").size();
    }
    String pattern = text("hybrid_override_pattern", "");
    return pattern.isEmpty() ? count("num_hidden_layers") : pattern.length();
  }

  /// A positive integer under the first of several names that is there.
  ///
  /// @throws CheckpointException if none is, or it is something else
  public int first(String... names) {
    return count(Stream.of(names).filter(name -> !isAbsent(name)).findFirst().orElse(names[0]));
  }

  /// A positive integer, or, where each layer has its own, the first that is not 0.
  public int ofFirst(String key) {
    if (!json().path(key).isArray()) {
      return count(key);
    }
    for (float v : numbers(key)) {
      if (v >= 1) {
        return (int) v;
      }
    }
    return count(key);
  }

  /// How many experts a layer has, 0 for none, under any of the names for it.
  public int experts() {
    return Stream.of("num_local_experts", "num_experts", "n_routed_experts")
        .mapToInt(this::countOrNone)
        .max()
        .orElse(0);
  }

  /// How many positions each layer sees, 0 for all: `window` in those that `layer_types` says, or
  /// else in those given.
  ///
  /// @throws CheckpointException if a layer is of a third type, or has a window of no size
  public int[] windows(int layers, int window, IntPredicate absent) {
    var types = isAbsent("layer_types") ? null : texts("layer_types");
    var pattern = json().path("sliding_window_pattern");
    if (pattern.isArray() && pattern.size() == layers && !isAbsent("sliding_window_pattern")) {
      return windows(layers, window, types, i -> pattern.get(i).asBoolean());
    }
    return windows(layers, window, types, absent);
  }

  private int[] windows(int layers, int window, List<String> types, IntPredicate absent) {
    var windows = new int[layers];
    for (int i = 0; i < layers; i++) {
      String t = types == null ? "" : i < types.size() ? types.get(i) : "missing";
      if (types != null && !t.equals("full_attention") && !t.equals("sliding_attention")) {
        throw new CheckpointException(
            "%s: \"layer_types\" is %s for layer %d; need full_attention or sliding_attention"
                .formatted(where(), t, i));
      }
      boolean sliding = types == null ? absent.test(i) : t.equals("sliding_attention");
      if (sliding && window == 0) {
        throw new CheckpointException(
            "%s: \"layer_types\" says that layer %d has sliding attention, but \"%s\" gives no window"
                .formatted(where(), i, shown("sliding_window")));
      }
      windows[i] = sliding ? window : 0;
    }
    return windows;
  }

  /// The sizes that shapes follow from, for messages.
  String sizes() {
    return Stream.of(
            "hidden_size",
            "intermediate_size",
            "moe_intermediate_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "vocab_size")
        .filter(key -> json().has(key) && !json().get(key).isNull())
        .map(key -> key + "=" + json().get(key))
        .collect(Collectors.joining(", "));
  }

  @Override
  public String shown(String key) {
    return names.getOrDefault(key, key);
  }
}
