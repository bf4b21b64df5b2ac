package io.gatun.models.encoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.Quantization;
import io.gatun.models.nn.UsedTensors;
import java.util.List;
import java.util.stream.StreamSupport;

/// An encoder as its checkpoint and the files beside it describe it.
///
/// @param head null for embedders
public record EncoderModel(
    Keys keys, TextEncoder encoder, ClassificationHead head, SentenceFiles files) {
  /// Reads what there is; weights stay where they are.
  ///
  /// @param ranks whether it is to score pairs of texts
  /// @param quantization what its linear layers keep in 8 bits
  /// @throws CheckpointException if it is none that Gatun runs, or cannot be quantized
  public static EncoderModel of(
      Checkpoint checkpoint, boolean ranks, Quantization.Mode quantization) {
    var keys = Keys.of(checkpoint);
    if (Encoders.isDecoder(keys)) {
      if (quantization != Quantization.Mode.NONE) {
        throw new CheckpointException(
            "%s: this is a language model, which is quantized beforehand: gatun quantize"
                .formatted(checkpoint.path()));
      }
      return new EncoderModel(
          keys, Encoders.decoder(checkpoint), null, SentenceFiles.of(checkpoint, keys));
    }
    var tensors = new UsedTensors(checkpoint);
    if (!ranks && ClassificationHead.isIn(checkpoint)) {
      throw new CheckpointException(
          "%s: this is a reranker, which makes no vectors. Scores come from: gatun rank"
              .formatted(checkpoint.path()));
    }
    if (ranks) {
      ClassificationHead.isSigmoid(keys);
    }
    var encoder = Encoders.of(keys, tensors, quantization);
    var head = ranks ? ClassificationHead.of(keys, tensors, encoder.hiddenSize()) : null;
    tensors.requireAllUsed(Encoders.LEFTOVERS);
    return new EncoderModel(keys, encoder, head, SentenceFiles.of(checkpoint, keys));
  }

  /// Whether it is a language model that reads texts.
  public boolean decodes() {
    return encoder instanceof DecoderEncoder;
  }

  /// The most tokens of a text, or pair.
  public int maxTokens() {
    return files.maxTokens() == 0
        ? encoder.maxTokens()
        : Math.min(files.maxTokens(), encoder.maxTokens());
  }

  /// The length of a vector.
  public int dimension() {
    return files.dense().isEmpty()
        ? encoder.hiddenSize()
        : Math.toIntExact(files.dense().getLast().weight().dim(0));
  }

  /// Whether a vector may be cut to a length: what configurations have for it is what vLLM reads.
  public boolean shortens(int length) {
    if (length < 1 || length >= dimension()) {
      return length == dimension();
    }
    var listed = keys.json().path("matryoshka_dimensions");
    if (listed.isArray()) {
      return StreamSupport.stream(listed.spliterator(), false).anyMatch(d -> d.asInt() == length);
    }
    return switch (keys.text("model_type", "bert")) {
      case "qwen3" -> length >= 32;
      case "gemma3_text", "gemma-embedding" -> List.of(128, 256, 512).contains(length);
      default -> keys.json().path("is_matryoshka").asBoolean();
    };
  }
}
