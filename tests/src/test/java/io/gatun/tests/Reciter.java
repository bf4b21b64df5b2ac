package io.gatun.tests;

import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Models that recite their vocabulary: after each token the next one is likeliest.
public final class Reciter {
  private static final long CONTROL = 3;
  private static final long USER_DEFINED = 4;
  private static final Set<String> TEXTS =
      Set.of("<think>", "</think>", "<tool_call>", "</tool_call>");

  private Reciter() {}

  /// A model whose vocabulary begins with the prompt and ends with the token that ends a text.
  ///
  /// @param tokens marks are special, but for those that are not in models that have them
  public static Path write(Path folder, String template, String... tokens) {
    var pieces = new ArrayList<String>();
    var types = new ArrayList<Long>();
    for (String token : tokens) {
      pieces.add(token);
      boolean mark = token.matches("<.*>|\\[[A-Z_/]+]") && !TEXTS.contains(token);
      types.add(mark ? CONTROL : USER_DEFINED);
    }
    int n = pieces.size();
    while (pieces.size() % 4 != 0) {
      pieces.add("pad" + pieces.size());
      types.add(CONTROL);
    }
    int v = pieces.size();
    Path file = folder.resolve("reciter" + System.nanoTime() + ".gguf");
    try (var arena = Arena.ofConfined()) {
      var writer =
          new GgufWriter()
              .metadata("general.architecture", "llama")
              .metadata("llama.context_length", 128)
              .metadata("llama.embedding_length", v)
              .metadata("llama.block_count", 1)
              .metadata("llama.feed_forward_length", 4)
              .metadata("llama.attention.head_count", 2)
              .metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f)
              .metadata("tokenizer.ggml.model", "gpt2")
              .metadata("tokenizer.ggml.pre", "gpt-2")
              .metadata("tokenizer.ggml.tokens", pieces)
              .metadata("tokenizer.ggml.token_type", types)
              .metadata("tokenizer.ggml.merges", List.of("p a"))
              .metadata("tokenizer.ggml.eos_token_id", n - 1)
              .metadata("tokenizer.chat_template", template);
      writer.add("token_embd.weight", diagonal(arena, v, 0));
      writer.add("output.weight", diagonal(arena, v, -1));
      for (String norm : List.of("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")) {
        var ones = Tensor.allocate(arena, DType.Plain.F32, v);
        for (int i = 0; i < v; i++) {
          ones.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
        }
        writer.add(norm + ".weight", ones);
      }
      for (String part : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        writer.add("blk.0." + part + ".weight", Tensor.allocate(arena, DType.Plain.F32, v, v));
      }
      writer.add("blk.0.ffn_gate.weight", Tensor.allocate(arena, DType.Plain.F32, 4, v));
      writer.add("blk.0.ffn_up.weight", Tensor.allocate(arena, DType.Plain.F32, 4, v));
      writer.add("blk.0.ffn_down.weight", Tensor.allocate(arena, DType.Plain.F32, v, 4));
      writer.write(file);
    }
    return file;
  }

  private static Tensor diagonal(Arena arena, int v, int shift) {
    var t = Tensor.allocate(arena, DType.Plain.F32, Shape.of(v, v).dims());
    for (int i = Math.max(0, -shift); i < v; i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, (long) i * v + i + shift, 1);
    }
    return t;
  }
}
