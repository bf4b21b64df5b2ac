package io.gatun.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.encoder.DecoderEncoder;
import io.gatun.models.encoder.TextEncoder;
import io.gatun.models.encoder.TokenBatch;
import io.gatun.models.text.Tokenizer;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.Arrays;

/// How a language model ranks (Qwen3-Reranker, arXiv 2506.05176): asked whether a document meets
/// what a query wants, it answers yes or no, and the score is how likely it is to say yes.
///
/// @param answers (2, D) F32, the output matrix's rows of yes and no; null to take them from there
record YesOrNo(int[] prefix, int[] suffix, int yes, int no, Tensor answers) {
  private static final String PREFIX =
      "<|im_start|>system\n"
          + "Judge whether the Document meets the requirements based on the Query and the Instruct"
          + " provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n"
          + "<|im_start|>user\n";

  private static final String SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

  /// What the model was trained to be told.
  static final String INSTRUCTION =
      "Given a web search query, retrieve relevant passages that answer the query";

  private static final String GGUF_ANSWERS = "cls.output.weight";

  /// @throws CheckpointException if the vocabulary has not what the question is made of
  static YesOrNo of(Checkpoint checkpoint, Tokenizer tokenizer) {
    for (String mark : new String[] {"<|im_start|>", "<|im_end|>", "<think>", "yes", "no"}) {
      if (tokenizer.id(mark).isEmpty()) {
        throw new CheckpointException(
            "%s: a language model ranks by answering yes or no, as Qwen3-Reranker does; its vocabulary has no \"%s\""
                .formatted(checkpoint.path(), mark));
      }
    }
    var answers =
        checkpoint.tensors().containsKey(GGUF_ANSWERS)
            ? Ops.toF32(checkpoint.tensor(GGUF_ANSWERS), Arena.ofAuto())
            : null;
    return new YesOrNo(
        tokenizer.encode(PREFIX, false, true),
        tokenizer.encode(SUFFIX, false, true),
        tokenizer.id("yes").getAsInt(),
        tokenizer.id("no").getAsInt(),
        answers);
  }

  /// The tokens between prefix and suffix.
  static int[] body(Tokenizer tokenizer, String instruction, String query, String document) {
    return tokenizer.encode(
        "<Instruct>: %s\n<Query>: %s\n<Document>: %s".formatted(instruction, query, document),
        false,
        false);
  }

  /// The question, its body cut to make it `most` tokens at the most.
  int[] ids(int[] body, int most) {
    int kept = Math.clamp((long) most - prefix.length - suffix.length, 0, body.length);
    var ids = Arrays.copyOf(prefix, prefix.length + kept + suffix.length);
    System.arraycopy(body, 0, ids, prefix.length, kept);
    System.arraycopy(suffix, 0, ids, prefix.length + kept, suffix.length);
    return ids;
  }

  /// How much more yes is to be expected than no, as the difference of their logits, for each of a
  /// batch's texts.
  ///
  /// @param hidden (T, D) F32
  float[] logits(Ops ops, TextEncoder encoder, Tensor hidden, TokenBatch batch) {
    int[] last = new int[batch.texts()];
    for (int i = 0; i < last.length; i++) {
      last[i] = batch.start(i) + batch.length(i) - 1;
    }
    var x = ops.gatherRows(hidden, last);
    var logits =
        answers == null && encoder instanceof DecoderEncoder(Decoder decoder)
            ? decoder.logits(ops, x, new int[] {yes, no})
            : ops.linear(x, answers); // (texts, 2)
    var differences = new float[last.length];
    for (int i = 0; i < last.length; i++) {
      differences[i] = logits.getFloat(i, 0) - logits.getFloat(i, 1);
    }
    return differences;
  }
}
