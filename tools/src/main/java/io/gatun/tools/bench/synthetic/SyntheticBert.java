package io.gatun.tools.bench.synthetic;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Checkpoints with the shapes of published BERT embedders and random F32 weights, for measuring
/// speed. Their vocabulary has a token for each of [#word].
public record SyntheticBert(
    String name, int hiddenSize, int numHiddenLayers, int numAttentionHeads, int intermediateSize) {
  private static final Map<String, SyntheticBert> SHAPES = new LinkedHashMap<>();

  static {
    add(new SyntheticBert("bge-small", 384, 12, 12, 1536));
    add(new SyntheticBert("bge-base", 768, 12, 12, 3072));
    add(new SyntheticBert("bge-large", 1024, 24, 16, 4096));
    add(new SyntheticBert("minilm-l6", 384, 6, 12, 1536));
  }

  private static final int VOCABULARY = 30522;
  private static final int POSITIONS = 512;
  private static final List<String> MARKS = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
  private static final int LETTERS = 26;
  private static final int LONGEST_WORD = 4;

  /// By the names of the command line.
  public static Map<String, SyntheticBert> shapes() {
    return Collections.unmodifiableMap(SHAPES);
  }

  private static void add(SyntheticBert shape) {
    SHAPES.put(shape.name, shape);
  }

  /// A word that is one token, any number having one.
  public static String word(int number) {
    int rest = Math.floorMod(number, VOCABULARY - MARKS.size());
    var letters = new char[LONGEST_WORD];
    for (int i = LONGEST_WORD - 1; i >= 0; i--) {
      letters[i] = (char) ('a' + rest % LETTERS);
      rest /= LETTERS;
    }
    return new String(letters);
  }

  /// The checkpoint's directory in the cache, written if it is not there yet.
  public Path checkpoint() {
    try {
      Path dir = UserCache.openLasting("synthetic/" + name);
      Path file = dir.resolve("model.safetensors");
      if (!Files.exists(file)) {
        AtomicFile.write(dir.resolve("config.json"), config());
        AtomicFile.write(dir.resolve("vocab.txt"), vocabulary());
        AtomicFile.write(
            dir.resolve("tokenizer_config.json"),
            """
            {"tokenizer_class": "BertTokenizer", "do_lower_case": true}
            """);
        AtomicFile.write(
            dir.resolve("modules.json"),
            """
            [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
             {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
            """);
        Files.createDirectories(dir.resolve("1_Pooling"));
        AtomicFile.write(
            dir.resolve("1_Pooling/config.json"),
            """
            {"word_embedding_dimension": %d, "pooling_mode_cls_token": true}
            """
                .formatted(hiddenSize));
        write(file);
      }
      return dir;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String config() {
    return """
    {"model_type": "bert", "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d,
     "num_attention_heads": %d, "vocab_size": %d, "max_position_embeddings": %d,
     "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    """
        .formatted(
            hiddenSize,
            intermediateSize,
            numHiddenLayers,
            numAttentionHeads,
            VOCABULARY,
            POSITIONS);
  }

  private static String vocabulary() {
    var lines = new StringBuilder();
    MARKS.forEach(mark -> lines.append(mark).append('\n'));
    for (int i = 0; i < VOCABULARY - MARKS.size(); i++) {
      lines.append(word(i)).append('\n');
    }
    return lines.toString();
  }

  private void write(Path file) {
    var target = new Target(new SafetensorsWriter());
    target.add("embeddings.word_embeddings.weight", VOCABULARY, hiddenSize);
    target.add("embeddings.position_embeddings.weight", POSITIONS, hiddenSize);
    target.add("embeddings.token_type_embeddings.weight", 2, hiddenSize);
    target.module("embeddings.LayerNorm", hiddenSize);
    for (int i = 0; i < numHiddenLayers; i++) {
      String layer = "encoder.layer." + i + ".";
      for (String part : List.of("self.query", "self.key", "self.value", "output.dense")) {
        target.module(layer + "attention." + part, hiddenSize, hiddenSize);
      }
      target.module(layer + "attention.output.LayerNorm", hiddenSize);
      target.module(layer + "intermediate.dense", intermediateSize, hiddenSize);
      target.module(layer + "output.dense", hiddenSize, intermediateSize);
      target.module(layer + "output.LayerNorm", hiddenSize);
    }
    target.writer.write(file);
  }

  private record Target(SafetensorsWriter writer) {
    void add(String name, long... dims) {
      writer.add(name, DType.Plain.F32, Shape.of(dims), RandomWeights.data(DType.Plain.F32, dims));
    }

    /// A weight, and a bias for its rows.
    void module(String name, long... dims) {
      add(name + ".weight", dims);
      add(name + ".bias", dims[0]);
    }
  }
}
