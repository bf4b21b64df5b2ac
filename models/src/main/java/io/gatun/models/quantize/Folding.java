package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/// Scales of layers' inputs, multiplied into the weights and divided out of what the inputs come
/// from: the model computes the same.
final class Folding {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Workers workers;

  /// The model's vectors and matrices.
  private final Map<String, Tensor> tensors;

  /// What columns are multiplied by.
  private final Map<String, float[]> columns = new HashMap<>();

  /// What rows, or elements of a vector, are divided by.
  private final Map<String, float[]> rows = new LinkedHashMap<>();

  private final Map<String, Source> sources = new HashMap<>();

  /// Where inputs of layers come from.
  ///
  /// @param name of a norm's weight or a matrix
  /// @param plusOne whether the norm multiplies by 1 + weight
  record Source(String name, boolean plusOne) {}

  Folding(Workers workers, Map<String, Tensor> tensors) {
    this.workers = workers;
    this.tensors = tensors;
  }

  /// Scales a matrix's inputs.
  void scale(String name, float[] scales) {
    columns.put(name, scales);
  }

  /// Takes scales out of a source, and of its bias.
  void divide(Source source, float[] scales) {
    sources.put(source.name(), source);
    rows.put(source.name(), scales);
    String bias = source.name().replaceFirst("weight$", "bias");
    if (tensors.containsKey(bias)) {
      rows.put(bias, scales);
    }
  }

  /// What a matrix's columns are multiplied by; null for nothing.
  float[] scales(String name) {
    return columns.get(name);
  }

  /// The vectors that are changed.
  Map<String, Tensor> vectors(Arena out) {
    var found = new LinkedHashMap<String, Tensor>();
    for (String name : rows.keySet()) {
      if (tensors.get(name).shape().rank() == 1) {
        found.put(name, of(name, tensors.get(name), out));
      }
    }
    return found;
  }

  /// All that is changed.
  Map<String, Tensor> all(Arena out) {
    var found = vectors(out);
    for (var names : Arrays.asList(rows.keySet(), columns.keySet())) {
      names.forEach(name -> found.computeIfAbsent(name, n -> of(n, tensors.get(n), out)));
    }
    return found;
  }

  /// A vector or matrix with these scales, as F32 without gaps.
  Tensor of(String name, Tensor stored, Arena out) {
    boolean isVector = stored.shape().rank() == 1;
    long n = isVector ? stored.size() : stored.dim(0);
    long k = stored.size() / n;
    var segment = RoundedMatrix.floats(workers, stored.reshape(n, k), out);
    var by = columns.get(name);
    var from = rows.get(name);
    float offset = sources.containsKey(name) && sources.get(name).plusOne() ? 1 : 0;
    workers.forEach(
        n,
        16,
        (worker, lo, hi) -> {
          for (long r = lo; r < hi; r++) {
            for (int c = 0; c < k; c++) {
              float v = segment.getAtIndex(FLOAT, r * k + c);
              v = by == null ? v : v * by[c];
              v = from == null ? v : (v + offset) / from[(int) r] - offset;
              segment.setAtIndex(FLOAT, r * k + c, v);
            }
          }
        });
    return Tensor.of(segment, DType.Plain.F32, stored.shape());
  }
}
