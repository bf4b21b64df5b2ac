package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.UnaryOperator;

/// Copies of models whose tensors have another type.
final class Requantized {
  private Requantized() {}

  /// Copies a GGUF file.
  ///
  /// @return how many tensors became others
  static int copy(Path model, Path out, UnaryOperator<Tensor> how) {
    int changed = 0;
    try (var checkpoint = Checkpoint.open(model)) {
      var writer = new GgufWriter();
      checkpoint
          .metadata()
          .forEach(
              (key, value) -> {
                if (!key.equals("general.alignment")) {
                  writer.metadata(key, value);
                }
              });
      for (var e : checkpoint.tensors().entrySet()) {
        var tensor = how.apply(e.getValue());
        changed += tensor == e.getValue() ? 0 : 1;
        writer.add(e.getKey(), tensor);
      }
      writer.write(out);
    }
    return changed;
  }

  static Tensor asFloats(Tensor t) {
    return t.dtype() == DType.Plain.F32
        ? t
        : Tensor.ofFloats(Arena.ofAuto(), t.toFloats(), t.shape().dims());
  }

  /// Random codes of about the values' size, where rows are whole blocks; the tensor itself
  /// elsewhere.
  static Tensor randomQ4K(Tensor t) {
    var type = DType.Block.Q4_K;
    if (t.shape().rank() < 2 || t.dim(-1) % type.blockSize() != 0) {
      return t;
    }
    var memory = Arena.ofAuto().allocate(t.size() / type.blockSize() * type.blockBytes(), 64);
    byte[] random = new byte[(int) memory.byteSize()];
    new Random(t.size()).nextBytes(random);
    MemorySegment.copy(random, 0, memory, ValueLayout.JAVA_BYTE, 0, random.length);
    for (long at = 0; at < memory.byteSize(); at += type.blockBytes()) {
      // Codes of 0 to 15 times scales of 0 to 63, less minima of 0 to 63 times 8.
      memory.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(1e-4f));
      memory.set(ValueLayout.JAVA_SHORT, at + 2, Float.floatToFloat16(7.5e-4f));
    }
    return Tensor.of(memory, type, t.shape());
  }

  /// The root of the mean squared difference, over that of the values.
  static double distance(float[] expected, float[] found) {
    double error = 0;
    double power = 0;
    for (int i = 0; i < expected.length; i++) {
      error += Math.pow(expected[i] - found[i], 2);
      power += Math.pow(expected[i], 2);
    }
    return Math.sqrt(error / power);
  }
}
