package io.gatun.models.nn;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/// Says why a model gave what is no number: which of its weights is none, or that its sums
/// overflow.
public final class NotFinite {
  /// Elements of a matrix that are looked at together.
  private static final long PIECE = 1 << 16;

  /// Results that are looked at together, in an array, which takes the least time to start with.
  private static final int AT_ONCE = 1 << 12;

  private NotFinite() {}

  /// Checks a model's results.
  ///
  /// @param what they are, for messages: `the logits`
  /// @throws CheckpointException if one is NaN; it names a tensor with such a weight, if there is
  ///   one
  public static void check(String what, float[] results, Checkpoint checkpoint) {
    for (float v : results) {
      if (Float.isNaN(v)) {
        throw new CheckpointException(reason(what, checkpoint));
      }
    }
  }

  /// The same of results (F32) outside the heap.
  ///
  /// @throws CheckpointException as for the other
  public static void check(String what, MemorySegment results, Checkpoint checkpoint) {
    var some = new float[(int) Math.min(AT_ONCE, results.byteSize() / Float.BYTES)];
    var memory = MemorySegment.ofArray(some);
    for (long at = 0, n; at < results.byteSize(); at += n) {
      n = Math.min(memory.byteSize(), results.byteSize() - at);
      MemorySegment.copy(results, at, memory, 0, n);
      check(what, some, checkpoint);
    }
  }

  private static String reason(String what, Checkpoint checkpoint) {
    for (Map.Entry<String, Tensor> e : checkpoint.tensors().entrySet()) {
      if (hasNaN(e.getValue())) {
        return "%s: tensor \"%s\" holds values that are no numbers (NaN or infinite), so that %s are NaN: the file is damaged, or was converted or merged wrongly; get it again"
            .formatted(checkpoint.file(e.getKey()), e.getKey(), what);
      }
    }
    return "%s: %s are NaN, though all weights are numbers: the activations overflow. Try --dtype or --precision f32, or another conversion of the model"
        .formatted(checkpoint.path(), what);
  }

  /// Whether a tensor has such values, as far as it can be looked at in pieces.
  private static boolean hasNaN(Tensor t) {
    if (t.dtype() instanceof DType.Tiled || !t.isContiguous() || t.size() == 0) {
      return false;
    }
    if (t.shape().rank() == 0) {
      return !Float.isFinite(t.getFloat());
    }
    long row = t.size() / t.dim(0);
    long rows = Math.max(1, PIECE / row);
    for (long from = 0; from < t.dim(0); from += rows) {
      for (float v : t.slice(0, from, Math.min(t.dim(0), from + rows)).toFloats()) {
        if (!Float.isFinite(v)) {
          return true;
        }
      }
    }
    return false;
  }
}
