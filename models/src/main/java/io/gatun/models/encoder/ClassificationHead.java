package io.gatun.models.encoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.ValueLayout;

/// What makes one number of a pair of texts: `out(tanh(dense(x)))`, x being the state of the first
/// token.
///
/// @param dense BERT's pooler, or the first layer of RoBERTa's classifier
/// @param out the layer of the one label
public record ClassificationHead(LinearWeight dense, LinearWeight out) {
  private static final String SIGMOID = "torch.nn.modules.activation.Sigmoid";
  private static final String IDENTITY = "torch.nn.modules.linear.Identity";

  /// The head of a checkpoint.
  ///
  /// @throws CheckpointException if it has none, or one of several labels
  public static ClassificationHead of(Keys keys, UsedTensors tensors, int hiddenSize) {
    var all = Encoders.all(keys, tensors).because("it ranks by one number");
    int count = labels(keys, all);
    if (count != 1) {
      throw new CheckpointException(
          "%s: it has %d labels; a reranker has one".formatted(keys.where(), count));
    }
    if (all.has("classifier.out_proj.weight")) {
      if (keys.isGguf() && !all.has("classifier.dense.weight")) {
        throw new CheckpointException(
            "%s: it has cls.output, the last layer of a reranker, but not the one before it (BERT's pooler, cls.weight), which llama.cpp's converter leaves out: its scores would not be the model's. Use the Hugging Face directory that the file was made from"
                .formatted(tensors.checkpoint().path()));
      }
      return new ClassificationHead(
          all.linear("classifier.dense", hiddenSize, hiddenSize),
          all.linear("classifier.out_proj", 1, hiddenSize));
    }
    if (all.has("classifier.weight") && all.has("bert.pooler.dense.weight")) {
      return new ClassificationHead(
          all.linear("bert.pooler.dense", hiddenSize, hiddenSize),
          all.linear("classifier", 1, hiddenSize));
    }
    throw new CheckpointException(
        "%s: no classifier that Gatun knows, which makes a score of a pair of texts; need a reranker (cross-encoder) of BERT's or RoBERTa's kind. Embeddings come from: gatun embed"
            .formatted(tensors.checkpoint().path()));
  }

  /// Whether a checkpoint ends in a classifier, be it one that Gatun knows or not.
  public static boolean isIn(Checkpoint checkpoint) {
    return checkpoint.tensors().keySet().stream()
        .anyMatch(name -> name.startsWith("classifier.") || name.equals("cls.output.weight"));
  }

  /// Whether the logit becomes a score from 0 to 1, as the configuration says.
  ///
  /// @throws CheckpointException if it asks for something else
  public static boolean isSigmoid(Keys keys) {
    var section = keys.section("sentence_transformers");
    String old = keys.text("sbert_ce_default_activation_function", SIGMOID);
    String name = section.text("activation_fn", old);
    if (!name.equals(SIGMOID) && !name.equals(IDENTITY)) {
      throw new CheckpointException(
          "%s: the scores' activation is \"%s\"; Gatun has %s and %s"
              .formatted(keys.where(), name, SIGMOID, IDENTITY));
    }
    return name.equals(SIGMOID);
  }

  /// GGUF's list of labels may be missing; the last layer has a row for each.
  private static int labels(Keys keys, Weights all) {
    var named = keys.json().path("id2label");
    if (named.isObject() || !keys.isGguf()) {
      return named.isObject() ? named.size() : keys.integer("num_labels", 1);
    }
    boolean several =
        all.has("classifier.out_proj.weight") && all.shape("classifier.out_proj.weight").rank() > 1;
    return several ? Math.toIntExact(all.shape("classifier.out_proj.weight").dim(0)) : 1;
  }

  /// The numbers of a batch's texts.
  ///
  /// @param hidden (T, D)
  public float[] forward(Functional f, Tensor hidden, TokenBatch batch) {
    try (var _ = f.scope()) {
      long d = hidden.dim(1);
      var first = f.empty(batch.texts(), d);
      long bytes = d * f.dtype().blockBytes();
      for (int i = 0; i < batch.texts(); i++) {
        first
            .segment()
            .asSlice(i * bytes, bytes)
            .copyFrom(hidden.segment().asSlice(batch.start(i) * bytes, bytes));
      }
      var x = f.linear(first, dense);
      var wide = x.dtype() == DType.Plain.F32 ? x : f.toF32(x);
      for (long i = 0; i < wide.size(); i++) {
        float v = wide.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
        wide.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Math.tanh(v));
      }
      return f.toF32(f.linear(f.cast(wide), out)).toFloats();
    }
  }
}
