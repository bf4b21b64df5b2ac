package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.encoder.ClassificationHead;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/// Says how well documents answer a query, by reading each together with it (a cross-encoder): BERT
/// (ms-marco-MiniLM), XLM-RoBERTa (bge-reranker) and Qwen3-Reranker, a language model that answers
/// yes or no.
///
/// ```java
/// try (var reranker = Reranker.load("bge-reranker-base")) {
///   float[] scores = reranker.score("What is rain?", documents);
/// }
/// ```
///
/// Special tokens that are written in a text are text. Any thread may use it: calls from several
/// threads take turns, batch by batch.
public final class Reranker implements AutoCloseable {
  private final LoadedEncoder model;
  private final boolean sigmoid;

  // Null for models with a head.
  private final YesOrNo question;

  private Reranker(LoadedEncoder model) {
    this.model = model;
    question = model.head() == null ? YesOrNo.of(model.checkpoint(), model.tokenizer()) : null;
    sigmoid = question != null || ClassificationHead.isSigmoid(model.model().keys());
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Reranker load(String pathOrName) {
    return load(pathOrName, o -> {});
  }

  /// Loads a model; one of the hub's is fetched if it is not there.
  ///
  /// @param pathOrName what [NamedModels] knows: a path, `tiny-...`, `ORG/MODEL:QUANT`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Reranker load(String pathOrName, Consumer<TextEncoderOptions> choose) {
    return load(NamedModels.find(pathOrName), choose);
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Reranker load(Path path) {
    return load(path, o -> {});
  }

  /// Loads a model from a Hugging Face directory or a GGUF file.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static Reranker load(Path path, Consumer<TextEncoderOptions> choose) {
    var model = LoadedEncoder.load(path, choose, true);
    try {
      return new Reranker(model);
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  /// The most tokens of a pair, with what is put around it.
  public int maxTokens() {
    return model.maxTokens();
  }

  /// What became of a query's documents.
  ///
  /// @param scores as [#score] gives them
  /// @param tokens that were read
  @SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
  public record Judgement(float[] scores, int tokens) {}

  /// A score for each document: the greater, the better it answers; from 0 to 1 unless the model's
  /// configuration says that its scores are logits.
  ///
  /// @throws IllegalArgumentException if a pair is too long, and is not to be cut
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public float[] score(String query, List<String> documents) {
    return judge(query, documents).scores();
  }

  /// As [#score], with the tokens counted.
  ///
  /// @throws IllegalArgumentException as for [#score]
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public Judgement judge(String query, List<String> documents) {
    model.ops().owner().checkOpen();
    var ids = new ArrayList<int[]>();
    var types = new ArrayList<int[]>();
    for (int i = 0; i < documents.size(); i++) {
      String name = "the query with document " + (i + 1);
      if (question != null) {
        ids.add(question(name, query, documents.get(i)));
        continue;
      }
      var pair =
          model.tokenizer().encodePair(read(query), read(documents.get(i)), model.maxTokens());
      if (pair.cut() > 0) {
        model.tooLong(name, pair.ids().length + pair.cut());
      }
      ids.add(pair.ids());
      types.add(pair.types());
    }
    var scores = new float[documents.size()];
    TokenBatches.forEach(
        model.encoder().batchTokens(),
        ids,
        question == null ? types : null,
        (batch, places) -> {
          try (var _ = model.ops().owner().turn();
              var _ = model.ops().scope()) {
            var f = model.f();
            var hidden = model.encoder().forward(f, batch);
            float[] found =
                question == null
                    ? model.head().forward(f, hidden, batch)
                    : question.logits(f.ops(), model.encoder(), hidden, batch);
            for (int i = 0; i < places.length; i++) {
              scores[places[i]] = score(found[i]);
            }
          }
        });
    return new Judgement(scores, ids.stream().mapToInt(each -> each.length).sum());
  }

  private int[] question(String name, String query, String document) {
    String instruction = model.options().instruction;
    int[] body = YesOrNo.body(model.tokenizer(), instruction, query, document);
    int[] ids = question.ids(body, model.maxTokens());
    int whole = question.ids(body, Integer.MAX_VALUE).length;
    if (ids.length < whole) {
      model.tooLong(name, whole);
    }
    return ids;
  }

  private String read(String text) {
    return model.files().lowercase() ? text.toLowerCase(Locale.ROOT) : text;
  }

  private float score(float logit) {
    if (Float.isNaN(logit)) {
      throw new CheckpointException(
          "%s: a score is no number (NaN): the weights are damaged, or of another model than the configuration"
              .formatted(model.checkpoint().path()));
    }
    return sigmoid ? (float) (1 / (1 + Math.exp(-logit))) : logit;
  }

  /// `Reranker(bge-reranker-base: xlm-roberta, 12 layers of 768, texts of 512 tokens, BF16)`.
  @Override
  public String toString() {
    return model.describe("Reranker");
  }

  /// Ends the threads and unmaps the weights. Other threads' calls end at their next operation with
  /// an [IllegalStateException]; so does every later use. A second call does nothing.
  @Override
  public void close() {
    model.close();
  }
}
