package io.gatun.tests.models;

import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;

/// A Llama of few layers with random quantized weights and no tokenizer.
final class SmallGguf {
  private static final long D = 256;
  private static final long VOCABULARY = 48;

  private SmallGguf() {}

  static void write(Path file, DType.Block type) {
    write(file, type, 1, 0);
  }

  /// @param seed of the last layer's weights
  static void write(Path file, DType.Block type, int layers, long seed) {
    var writer = new GgufWriter();
    writer
        .metadata("general.architecture", "llama")
        .metadata("llama.context_length", 64)
        .metadata("llama.embedding_length", D)
        .metadata("llama.block_count", layers)
        .metadata("llama.feed_forward_length", 2 * D)
        .metadata("llama.attention.head_count", 4)
        .metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .metadata("llama.vocab_size", VOCABULARY);
    add(writer, "token_embd", 0, DType.Plain.F32, VOCABULARY, D);
    add(writer, "output_norm", 0, DType.Plain.F32, D);
    add(writer, "output", 0, DType.Plain.F32, VOCABULARY, D);
    for (int i = 0; i < layers; i++) {
      String layer = "blk." + i + ".";
      long own = i == layers - 1 ? seed : 0;
      add(writer, layer + "attn_norm", own, DType.Plain.F32, D);
      add(writer, layer + "ffn_norm", own, DType.Plain.F32, D);
      for (String part : new String[] {"q", "k", "v", "output"}) {
        add(writer, layer + "attn_" + part, own, type, D, D);
      }
      add(writer, layer + "ffn_gate", own, type, 2 * D, D);
      add(writer, layer + "ffn_up", own, type, 2 * D, D);
      add(writer, layer + "ffn_down", own, type, D, 2 * D);
    }
    writer.write(file);
  }

  private static void add(GgufWriter writer, String name, long seed, DType type, long... dims) {
    var shape = Shape.of(dims);
    var bytes = new byte[(int) type.byteSize(shape)];
    if (type instanceof DType.Block) {
      new Random(name.hashCode() + seed).nextBytes(bytes);
      for (int i = 0; i < bytes.length; i += type.blockBytes()) {
        // What may be a scale, or in Q4_K a minimum, is finite and not huge.
        bytes[i + 1] &= 0x2F;
        bytes[i + 3] &= 0x2F;
      }
    }
    writer.add(name + ".weight", type, shape, sink -> sink.write(MemorySegment.ofArray(bytes)));
  }
}
