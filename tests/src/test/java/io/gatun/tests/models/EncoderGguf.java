package io.gatun.tests.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/// Writes small encoders as GGUF files, named and laid out as llama.cpp's converter does it.
final class EncoderGguf {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// transformers' names, in the order in which they are looked for, and GGUF's.
  private static final Map<String, String> NAMES = new LinkedHashMap<>();

  static {
    NAMES.put("embeddings.word_embeddings", "token_embd");
    NAMES.put("embeddings.tok_embeddings", "token_embd");
    NAMES.put("embeddings.position_embeddings", "position_embd");
    NAMES.put("embeddings.token_type_embeddings", "token_types");
    NAMES.put("embeddings.LayerNorm", "token_embd_norm");
    NAMES.put("embeddings.norm", "token_embd_norm");
    NAMES.put("emb_ln", "token_embd_norm");
    NAMES.put("attention.self.query", "attn_q");
    NAMES.put("attention.self.key", "attn_k");
    NAMES.put("attention.self.value", "attn_v");
    NAMES.put("attention.output.dense", "attn_output");
    NAMES.put("attention.output.LayerNorm", "attn_output_norm");
    NAMES.put("intermediate.dense", "ffn_up");
    NAMES.put("output.dense", "ffn_down");
    NAMES.put("output.LayerNorm", "layer_output_norm");
    NAMES.put("attn.Wqkv", "attn_qkv");
    NAMES.put("attn.out_proj", "attn_output");
    NAMES.put("attn.Wo", "attn_output");
    NAMES.put("attn_norm", "attn_norm");
    NAMES.put("mlp_norm", "ffn_norm");
    NAMES.put("norm1", "attn_output_norm");
    NAMES.put("norm2", "layer_output_norm");
    NAMES.put("mlp.fc11", "ffn_up");
    NAMES.put("mlp.fc12", "ffn_gate");
    NAMES.put("mlp.fc2", "ffn_down");
    NAMES.put("mlp.Wi", "ffn_up");
    NAMES.put("mlp.Wo", "ffn_down");
    NAMES.put("final_norm", "output_norm");
    NAMES.put("classifier.dense", "cls");
    NAMES.put("classifier.out_proj", "cls.output");
    NAMES.put("classifier", "cls.output");
    NAMES.put("pooler.dense", "cls");
  }

  private static final Set<String> MARKS =
      Set.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "<pad>", "</s>", "<mask>");

  private final Path model;
  private final JsonNode config;
  private final String architecture;
  private final GgufWriter writer = new GgufWriter();

  private EncoderGguf(Path model) throws IOException {
    this.model = model;
    config = JSON.readTree(model.resolve("config.json").toFile());
    architecture =
        switch (config.get("model_type").asText()) {
          case "nomic_bert" -> "nomic-bert";
          case "modernbert" -> "modern-bert";
          default -> "bert";
        };
  }

  /// Writes the model of a folder.
  ///
  /// @param pooler whether BERT's pooler is kept, which llama.cpp's converter leaves out
  /// @param change of each tensor
  static void write(Path model, Path file, boolean pooler, UnaryOperator<Tensor> change)
      throws IOException {
    var gguf = new EncoderGguf(model);
    gguf.configuration();
    gguf.vocabulary();
    gguf.tensors(pooler, change);
    gguf.writer.write(file);
  }

  private void configuration() throws IOException {
    writer.metadata("general.architecture", architecture);
    count("block_count", "num_hidden_layers", "n_layer");
    count("embedding_length", "hidden_size", "n_embd");
    count("feed_forward_length", "intermediate_size", "n_inner");
    count("attention.head_count", "num_attention_heads", "n_head");
    put("context_length", first("max_position_embeddings", "n_positions").asInt() - chopped());
    put("attention.causal", false);
    var eps = first("norm_eps", "layer_norm_eps", "layer_norm_epsilon");
    put("attention.layer_norm_epsilon", (float) eps.asDouble());
    switch (architecture) {
      case "nomic-bert" -> put("rope.freq_base", (float) config.get("rotary_emb_base").asDouble());
      case "modern-bert" -> {
        put("rope.freq_base", (float) config.get("global_rope_theta").asDouble());
        put("rope.freq_base_swa", (float) config.get("local_rope_theta").asDouble());
        put("rope.scaling.type", "none");
        put("attention.sliding_window", config.get("local_attention").asInt());
        count("attention.sliding_window_pattern", "global_attn_every_n_layers");
        count("vocab_size", "vocab_size");
      }
      default -> {}
    }
    Path pooling = model.resolve("1_Pooling/config.json");
    if (Files.exists(pooling)) {
      boolean mean = JSON.readTree(pooling.toFile()).get("pooling_mode_mean_tokens").asBoolean();
      put("pooling_type", mean ? 1 : 2);
    } else {
      put("pooling_type", 4);
      put("classifier.output_labels", List.of("LABEL_0"));
    }
  }

  private void put(String key, Object value) {
    writer.metadata(architecture + "." + key, value);
  }

  private void count(String key, String... names) {
    put(key, first(names).asInt());
  }

  private JsonNode first(String... names) {
    for (String name : names) {
      if (config.has(name)) {
        return config.get(name);
      }
    }
    throw new AssertionError(model + ": " + List.of(names));
  }

  /// The rows of RoBERTa's position table that no token has.
  private int chopped() {
    return config.get("model_type").asText().contains("roberta")
        ? config.get("pad_token_id").asInt() + 1
        : 0;
  }

  private void vocabulary() throws IOException {
    if (config.has("type_vocab_size")) {
      token("token_type_count", config.get("type_vocab_size").asInt());
    }
    if (Files.exists(model.resolve("vocab.txt"))) {
      wordPiece(Files.readAllLines(model.resolve("vocab.txt")));
      return;
    }
    var json = JSON.readTree(model.resolve("tokenizer.json").toFile());
    boolean unigram = json.at("/model/vocab").isArray();
    var pieces = new TreeMap<Integer, String>();
    var scores = new ArrayList<Float>();
    if (unigram) {
      for (JsonNode piece : json.at("/model/vocab")) {
        pieces.put(pieces.size(), piece.get(0).asText());
        scores.add((float) piece.get(1).asDouble());
      }
    } else {
      json.at("/model/vocab")
          .properties()
          .forEach(e -> pieces.put(e.getValue().asInt(), e.getKey()));
    }
    var special = new TreeMap<Integer, Boolean>();
    for (JsonNode added : json.get("added_tokens")) {
      pieces.put(added.get("id").asInt(), added.get("content").asText());
      special.put(added.get("id").asInt(), added.get("special").asBoolean());
    }
    token("tokens", List.copyOf(pieces.values()));
    token(
        "token_type",
        pieces.entrySet().stream()
            .map(
                e ->
                    e.getValue().equals("<unk>")
                        ? 2
                        : !special.containsKey(e.getKey()) ? 1 : special.get(e.getKey()) ? 3 : 4)
            .toList());
    var all = List.copyOf(pieces.values());
    boolean modern = architecture.equals("modern-bert");
    token("bos_token_id", all.indexOf(modern ? "[CLS]" : "<s>"));
    token("eos_token_id", all.indexOf(modern ? "[SEP]" : "</s>"));
    token("seperator_token_id", all.indexOf(modern ? "[SEP]" : "</s>"));
    token("padding_token_id", all.indexOf(modern ? "[PAD]" : "<pad>"));
    token("unknown_token_id", all.indexOf(modern ? "[UNK]" : "<unk>"));
    token("add_bos_token", true);
    token("add_eos_token", true);
    if (unigram) {
      token("model", "t5");
      token("pre", "default");
      token("scores", scores);
      token("add_space_prefix", true);
      token("remove_extra_whitespaces", true);
      charsMap(json.get("normalizer"));
    } else {
      token("model", "gpt2");
      token("pre", modern ? "modern-bert" : "roberta-bpe");
      var merges = new ArrayList<String>();
      for (JsonNode m : json.at("/model/merges")) {
        merges.add(m.isArray() ? m.get(0).asText() + " " + m.get(1).asText() : m.asText());
      }
      token("merges", merges);
    }
  }

  private void charsMap(JsonNode normalizer) {
    var map = normalizer.findValue("precompiled_charsmap");
    if (map != null) {
      var bytes = new ArrayList<Integer>();
      for (byte b : Base64.getDecoder().decode(map.asText())) {
        bytes.add(b & 0xff);
      }
      token("precompiled_charsmap", bytes);
    }
  }

  private void wordPiece(List<String> vocabulary) {
    var tokens = new ArrayList<String>();
    var types = new ArrayList<Integer>();
    for (String piece : vocabulary) {
      boolean mark = MARKS.contains(piece);
      boolean kept = mark || (piece.startsWith("[") && piece.endsWith("]"));
      tokens.add(kept ? piece : piece.startsWith("##") ? piece.substring(2) : "\u2581" + piece);
      types.add(mark ? 3 : 1);
    }
    while (tokens.size() < config.get("vocab_size").asInt()) {
      tokens.add("[PAD" + tokens.size() + "]");
      types.add(5);
    }
    token("model", "bert");
    token("tokens", tokens);
    token("token_type", types);
    token("unknown_token_id", vocabulary.indexOf("[UNK]"));
    token("cls_token_id", vocabulary.indexOf("[CLS]"));
    token("seperator_token_id", vocabulary.indexOf("[SEP]"));
    token("padding_token_id", vocabulary.indexOf("[PAD]"));
    token("mask_token_id", vocabulary.indexOf("[MASK]"));
  }

  private void token(String key, Object value) {
    writer.metadata("tokenizer.ggml." + key, value);
  }

  private void tensors(boolean pooler, UnaryOperator<Tensor> change) throws IOException {
    boolean ranks = !Files.exists(model.resolve("modules.json"));
    try (var checkpoint = Checkpoint.open(model.resolve("model.safetensors"))) {
      checkpoint
          .tensors()
          .forEach(
              (name, tensor) -> {
                boolean pools = name.contains("pooler");
                if (name.contains("position_ids") || (pools && !(pooler && ranks))) {
                  return;
                }
                boolean positions = name.contains("position_embeddings");
                var kept = positions ? tensor.slice(0, chopped(), tensor.dim(0)) : tensor;
                // The checkpoint is closed when the file is written.
                writer.add(ggufName(name), change.apply(kept.copy(Arena.ofAuto())));
              });
    }
  }

  private static String ggufName(String name) {
    var block =
        name.contains("layer") ? name.replaceAll("^.*layers?\\.(\\d+)\\..*", "blk.$1.") : "";
    for (var each : NAMES.entrySet()) {
      if (name.contains(each.getKey() + ".")) {
        return (block.startsWith("blk.") ? block : "")
            + each.getValue()
            + name.substring(name.lastIndexOf('.'));
      }
    }
    throw new AssertionError(name);
  }

  /// Matrices in F16; vectors stay F32, as llama.cpp has it.
  static Tensor f16(Tensor t) {
    if (t.shape().rank() < 2) {
      return t;
    }
    var out = Tensor.allocate(Arena.ofAuto(), DType.Plain.F16, t.shape().dims());
    float[] values = t.toFloats();
    for (int i = 0; i < values.length; i++) {
      short half = Float.floatToFloat16(values[i]);
      out.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, half);
    }
    return out;
  }

  /// Matrices in Q8_0: blocks of 32 values with a scale. As llama.cpp has it, vectors stay F32, and
  /// matrices whose rows are no whole blocks F16.
  static Tensor q8(Tensor t) {
    if (t.shape().rank() < 2 || t.dim(1) % 32 != 0) {
      return f16(t);
    }
    var out = Tensor.allocate(Arena.ofAuto(), DType.Block.Q8_0, t.shape().dims());
    var bytes = out.segment().asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    float[] values = t.toFloats();
    for (int block = 0; block < values.length; block += 32) {
      float max = 0;
      for (int i = block; i < block + 32; i++) {
        max = Math.max(max, Math.abs(values[i]));
      }
      bytes.putShort(Float.floatToFloat16(max / 127));
      for (int i = block; i < block + 32; i++) {
        bytes.put((byte) Math.round(max == 0 ? 0 : values[i] * 127 / max));
      }
    }
    return out;
  }
}
