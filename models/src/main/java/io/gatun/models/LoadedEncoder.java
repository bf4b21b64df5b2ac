package io.gatun.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.Interruption;
import io.gatun.models.encoder.ClassificationHead;
import io.gatun.models.encoder.EncoderModel;
import io.gatun.models.encoder.SentenceFiles;
import io.gatun.models.encoder.TextEncoder;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import java.nio.file.Path;
import java.util.function.Consumer;

/// An encoder with its tokenizer, threads and memory: what embedders and rerankers have in common.
record LoadedEncoder(
    Checkpoint checkpoint,
    EncoderModel model,
    Tokenizer tokenizer,
    Functional f,
    TextEncoderOptions options) {
  /// @param ranks whether it is a reranker's
  static LoadedEncoder load(Path path, Consumer<TextEncoderOptions> choose, boolean ranks) {
    try {
      return open(path, choose, ranks);
    } catch (RuntimeException e) {
      throw Interruption.or(e);
    }
  }

  private static LoadedEncoder open(Path path, Consumer<TextEncoderOptions> choose, boolean ranks) {
    var options = new TextEncoderOptions();
    choose.accept(options);
    var checkpoint = Checkpoint.open(path, options.loadMode);
    try {
      Fit.of(checkpoint, 0).require(null, options.force);
      var model = EncoderModel.of(checkpoint, ranks, options.quantization);
      var tokenizer = Tokenizers.load(path, checkpoint.metadata());
      // What a language model multiplies is F32: here it may be rounded.
      boolean rounds = model.decodes() && options.dtype() == DType.Plain.BF16;
      var ops = new Ops(options.backend, options.threads, rounds ? Precision.FAST : Precision.F32);
      try {
        return new LoadedEncoder(
            checkpoint, model, tokenizer, new Functional(ops, options.dtype()), options);
      } catch (RuntimeException | Error e) {
        ops.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  Ops ops() {
    return f.ops();
  }

  TextEncoder encoder() {
    return model.encoder();
  }

  ClassificationHead head() {
    return model.head();
  }

  SentenceFiles files() {
    return model.files();
  }

  int maxTokens() {
    return model.maxTokens();
  }

  boolean isClosed() {
    return ops().owner().isClosed();
  }

  /// What to say of a text that is too long.
  ///
  /// @throws IllegalArgumentException if it is not to be cut
  void tooLong(String what, int tokens) {
    tooLong(what, tokens, options.truncate ? options.notices : null);
  }

  /// @param cut is told that it is cut; null if it is not to be
  void tooLong(String what, int tokens, Consumer<String> cut) {
    if (cut == null) {
      throw new IllegalArgumentException(
          "%s has %d tokens; the model reads %d at most. Split it, or have its end cut off (--truncate; in Java o.truncate(true); of a server \"truncate\": true)"
              .formatted(what, tokens, maxTokens()));
    }
    cut.accept(
        "%s has %d tokens; the model reads %d, so its end was cut off"
            .formatted(what, tokens, maxTokens()));
  }

  /// `TextEmbedder(bge-small: bert, 12 layers of 384, texts of 512 tokens, BF16)`.
  String describe(String name) {
    return isClosed()
        ? "%s(%s: closed)".formatted(name, checkpoint.path().getFileName())
        : "%s(%s: %s, %d layers of %d, texts of %d tokens, %s)"
            .formatted(
                name,
                checkpoint.path().getFileName(),
                model.keys().text("model_type", "bert"),
                encoder().layers(),
                encoder().hiddenSize(),
                maxTokens(),
                f.dtype().name());
  }

  void close() {
    ops().close();
    checkpoint.close();
  }
}
