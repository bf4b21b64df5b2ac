package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.encoder.Pooling;
import io.gatun.models.text.Tokenizer;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/// Makes vectors of texts, of which those of similar meaning point in similar directions: BERT
/// (bge, MiniLM, e5, arctic), XLM-RoBERTa (bge-m3), nomic-bert, ModernBERT, EmbeddingGemma, and
/// language models that were trained for it (Qwen3-Embedding).
///
/// ```java
/// try (var embedder = TextEmbedder.load("bge-small-en-v1.5")) {
///   float[][] vectors = embedder.embed(List.of("What is rain?", "Water that falls."));
/// }
/// ```
///
/// Pooling, normalization, length and prompts are as the files of sentence-transformers beside the
/// weights say; a GGUF file's vectors are normalized. Special tokens that are written in a text are
/// text. Any thread may use it: calls from several threads take turns, batch by batch.
public final class TextEmbedder implements AutoCloseable {
  /// Texts that are sorted by length together.
  private static final int READ_AT_ONCE = 2048;

  private final LoadedEncoder model;
  private final Pooling pooling;

  private TextEmbedder(LoadedEncoder model, Pooling pooling) {
    this.model = model;
    this.pooling = pooling;
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static TextEmbedder load(String pathOrName) {
    return load(pathOrName, o -> {});
  }

  /// Loads a model; one of the hub's is fetched if it is not there.
  ///
  /// @param pathOrName what [NamedModels] knows: a path, `tiny-...`, `ORG/MODEL:QUANT`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static TextEmbedder load(String pathOrName, Consumer<TextEncoderOptions> choose) {
    return load(NamedModels.find(pathOrName), choose);
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static TextEmbedder load(Path path) {
    return load(path, o -> {});
  }

  /// Loads a model from a Hugging Face directory or a GGUF file.
  ///
  /// @throws CheckpointException if there is no such model, Gatun cannot run it, or nothing says
  ///   how tokens become one vector
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static TextEmbedder load(Path path, Consumer<TextEncoderOptions> choose) {
    var model = LoadedEncoder.load(path, choose, false);
    var chosen = model.options().pooling;
    var pooling = chosen != null ? chosen : model.files().pooling();
    if (pooling == null) {
      model.close();
      throw new CheckpointException(
          "%s: nothing says how the states of tokens become one vector (modules.json and 1_Pooling/config.json, or a GGUF file's pooling_type). Copy these files there, or choose: --pooling mean, cls or last"
              .formatted(path));
    }
    return new TextEmbedder(model, pooling);
  }

  /// The length of a vector.
  public int dimension() {
    return model.model().dimension();
  }

  /// The most tokens of a text, with what is put around it.
  public int maxTokens() {
    return model.maxTokens();
  }

  public Tokenizer tokenizer() {
    return model.tokenizer();
  }

  /// The operations that the model is computed with: their type, threads and memory.
  public Functional functional() {
    return model.f();
  }

  /// What the model wants before texts of different uses, by name: `query`, `document`.
  public Map<String, String> prompts() {
    return model.files().prompts();
  }

  /// The name of the prompt that is put before texts unless another is chosen; null for none.
  public String defaultPrompt() {
    return model.files().defaultPrompt();
  }

  /// The vectors of texts, with the model's default prompt before each if it has one.
  ///
  /// @throws IllegalArgumentException if a text is too long, and is not to be cut
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public float[][] embed(List<String> texts) {
    return embed(texts, defaultPrompt());
  }

  /// The vectors of texts with a prompt before each.
  ///
  /// @param promptName one of [#prompts]; null for none
  /// @throws IllegalArgumentException as for the other `embed`, or if there is no such prompt
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public float[][] embed(List<String> texts, String promptName) {
    var vectors = new ArrayList<float[]>();
    embed(texts.iterator(), promptName, vectors::add);
    return vectors.toArray(float[][]::new);
  }

  /// The vectors of any number of texts, in their order: some thousand are read at a time.
  ///
  /// @param promptName one of [#prompts]; null for none
  /// @throws IllegalArgumentException as for a list; the vectors of texts that were read before
  ///   have been handed out
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public void embed(Iterator<String> texts, String promptName, Consumer<float[]> vectors) {
    model.ops().owner().checkOpen();
    String prompt = prompt(promptName);
    for (int done = 0; texts.hasNext(); ) {
      var ids = new ArrayList<int[]>();
      while (ids.size() < READ_AT_ONCE && texts.hasNext()) {
        ids.add(ids(done++, prompt + texts.next(), cut()));
      }
      for (float[] vector : embedded(ids)) {
        vectors.accept(vector);
      }
    }
  }

  private String prompt(String name) {
    String prompt = name == null ? "" : prompts().get(name);
    if (prompt == null) {
      throw new IllegalArgumentException(
          "there is no prompt \"%s\"; the model has %s".formatted(name, prompts().keySet()));
    }
    return prompt;
  }

  /// The tokens that are read of texts, with a prompt before each.
  ///
  /// @param promptName one of [#prompts]; null for none
  /// @throws IllegalArgumentException as for [#embed]
  public List<int[]> encode(List<String> texts, String promptName) {
    return encode(texts, promptName, cut());
  }

  /// The same, where texts that are too long lose their ends, whatever the model's options say.
  ///
  /// @param cut is told of each, in words; null refuses them
  public List<int[]> encode(List<String> texts, String promptName, Consumer<String> cut) {
    String prompt = prompt(promptName);
    var ids = new ArrayList<int[]>();
    for (String text : texts) {
      ids.add(ids(ids.size(), prompt + text, cut));
    }
    return ids;
  }

  private Consumer<String> cut() {
    return model.options().truncate ? model.options().notices : null;
  }

  /// The vectors of texts that are given as tokens, with all that belongs around them.
  ///
  /// @throws IllegalArgumentException if a text is empty or longer than [#maxTokens], or a token is
  ///   not one of the model's
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public float[][] embedTokens(List<int[]> texts) {
    model.ops().owner().checkOpen();
    for (int i = 0; i < texts.size(); i++) {
      int[] ids = texts.get(i);
      if (ids.length == 0 || ids.length > maxTokens()) {
        throw new IllegalArgumentException(
            "text %d has %d tokens; the model reads 1 to %d"
                .formatted(i + 1, ids.length, maxTokens()));
      }
      for (int id : ids) {
        if (id < 0 || !tokenizer().has(id)) {
          throw new IllegalArgumentException(
              "text %d has the token %d; the model has the tokens 0 to %d"
                  .formatted(i + 1, id, tokenizer().size() - 1));
        }
      }
    }
    return embedded(texts);
  }

  /// Whether the first so many numbers of a vector are a vector, too (Matryoshka embeddings, arXiv
  /// 2205.13147), as the model's configuration says or all of its family are trained; the whole
  /// length always is.
  public boolean shortens(int dimension) {
    return model.model().shortens(dimension);
  }

  /// The first numbers of a vector, made as long as the model's vectors are if it normalizes them.
  ///
  /// @throws IllegalArgumentException if the model's vectors are not made to be cut there
  public float[] shortened(float[] vector, int dimension) {
    if (!shortens(dimension)) {
      throw new IllegalArgumentException(
          "%d numbers are asked for; the model's vectors have %d, and are not known to be made to be cut to that length"
              .formatted(dimension, dimension()));
    }
    return dimension == vector.length ? vector : finished(Arrays.copyOf(vector, dimension));
  }

  private float[][] embedded(List<int[]> ids) {
    var vectors = new float[ids.size()][];
    TokenBatches.forEach(
        model.encoder().batchTokens(),
        ids,
        null,
        (batch, places) -> {
          try (var _ = model.ops().owner().turn();
              var _ = model.ops().scope()) {
            var f = model.f();
            var found = dense(pooling.apply(f.toF32(model.encoder().forward(f, batch)), batch));
            for (int i = 0; i < places.length; i++) {
              vectors[places[i]] = finished(found[i]);
            }
          }
        });
    return vectors;
  }

  private float[][] dense(float[][] pooled) {
    if (model.files().dense().isEmpty()) {
      return pooled;
    }
    var x = model.ops().empty(pooled.length, pooled[0].length);
    for (int i = 0; i < pooled.length; i++) {
      x.get(i).segment().copyFrom(MemorySegment.ofArray(pooled[i]));
    }
    for (var layer : model.files().dense()) {
      x = layer.forward(model.ops(), x);
    }
    var vectors = new float[pooled.length][];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = x.get(i).toFloats();
    }
    return vectors;
  }

  private int[] ids(int index, String text, Consumer<String> cut) {
    String read = model.files().lowercase() ? text.toLowerCase(Locale.ROOT) : text;
    int[] ids = tokenizer().encode(read, true, false);
    if (ids.length == 0) {
      throw new IllegalArgumentException(
          "text %d is empty, and this model puts no token around a text".formatted(index + 1));
    }
    if (ids.length > maxTokens()) {
      model.tooLong("text " + (index + 1), ids.length, cut);
    }
    return tokenizer().truncate(ids, maxTokens());
  }

  private float[] finished(float[] vector) {
    double squares = 0;
    for (float v : vector) {
      squares += (double) v * v;
    }
    if (!Double.isFinite(squares)) {
      throw new CheckpointException(
          "%s: a vector is no number (NaN or infinite): the weights are damaged, or of another model than the configuration"
              .formatted(model.checkpoint().path()));
    }
    if (model.files().normalize()) {
      double length = Math.max(Math.sqrt(squares), 1e-12);
      for (int i = 0; i < vector.length; i++) {
        vector[i] = (float) (vector[i] / length);
      }
    }
    return vector;
  }

  /// `TextEmbedder(bge-small: bert, 12 layers of 384, texts of 512 tokens, BF16)`.
  @Override
  public String toString() {
    return model.describe("TextEmbedder");
  }

  /// Ends the threads and unmaps the weights. Other threads' calls end at their next operation with
  /// an [IllegalStateException]; so does every later use. A second call does nothing.
  @Override
  public void close() {
    model.close();
  }
}
