package io.gatun.tests.models;

import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;

/// A Llama of one layer with random quantized weights and no tokenizer.
final class SmallGguf {
  private static final long D = 256;
  private static final long VOCABULARY = 48;

  private SmallGguf() {}

  static void write(Path file, DType.Block type) {
    var writer = new GgufWriter();
    writer
        .metadata("general.architecture", "llama")
        .metadata("llama.context_length", 64)
        .metadata("llama.embedding_length", D)
        .metadata("llama.block_count", 1)
        .metadata("llama.feed_forward_length", 2 * D)
        .metadata("llama.attention.head_count", 4)
        .metadata("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .metadata("llama.vocab_size", VOCABULARY);
    add(writer, "token_embd", DType.Plain.F32, VOCABULARY, D);
    add(writer, "output_norm", DType.Plain.F32, D);
    add(writer, "output", DType.Plain.F32, VOCABULARY, D);
    add(writer, "blk.0.attn_norm", DType.Plain.F32, D);
    add(writer, "blk.0.ffn_norm", DType.Plain.F32, D);
    for (String part : new String[] {"q", "k", "v", "output"}) {
      add(writer, "blk.0.attn_" + part, type, D, D);
    }
    add(writer, "blk.0.ffn_gate", type, 2 * D, D);
    add(writer, "blk.0.ffn_up", type, 2 * D, D);
    add(writer, "blk.0.ffn_down", type, D, 2 * D);
    writer.write(file);
  }

  private static void add(GgufWriter writer, String name, DType type, long... dims) {
    var shape = Shape.of(dims);
    var bytes = new byte[(int) type.byteSize(shape)];
    if (type instanceof DType.Block) {
      new Random(name.hashCode()).nextBytes(bytes);
      for (int i = 0; i < bytes.length; i += type.blockBytes()) {
        // What may be a scale, or in Q4_K a minimum, is finite and not huge.
        bytes[i + 1] &= 0x2F;
        bytes[i + 3] &= 0x2F;
      }
    }
    writer.add(name + ".weight", type, shape, sink -> sink.write(MemorySegment.ofArray(bytes)));
  }
}
