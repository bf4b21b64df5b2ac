package io.gatun.tools;

import io.gatun.models.Llm;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.VectorUnit;
import java.util.Locale;

/// Says how near decoding came to the speed at which the machine reads the model's weights.
final class WeightReading {
  /// Less than this lies in caches, where memory is no limit.
  private static final long LEAST = 256L << 20;

  private static final long MOST = 1L << 30;
  private static final long GRAIN = 1 << 20;

  private WeightReading() {}

  /// `26.3 GB/s of weights, 0.79 of the 33.4 GB/s that memory gives`: measured now, by reading some
  /// of the weights once; for a small model the first figure alone.
  static String describe(Llm llm, double tokensPerSecond) {
    double rate = llm.model().bytesPerToken() * tokensPerSecond / 1e9;
    String reading = String.format(Locale.ROOT, "%.1f GB/s of weights", rate);
    if (llm.model().bytesPerToken() < LEAST) {
      return reading;
    }
    double roof = bandwidth(llm) / 1e9;
    return reading
        + String.format(Locale.ROOT, ", %.2f of the %.1f that memory gives", rate / roof, roof);
  }

  private static double bandwidth(Llm llm) {
    long bytes = 0;
    long start = System.nanoTime();
    var workers = llm.ops().workers();
    var sums = new int[workers.threads() * 16]; // a cache line each
    for (Tensor t : llm.checkpoint().tensors().values()) {
      long whole = t.byteSize() / GRAIN;
      if (bytes < MOST && t.shape().rank() > 1) {
        workers.forEach(
            whole,
            1,
            (worker, from, to) ->
                sums[worker * 16] ^= VectorUnit.read(t.segment(), from * GRAIN, to * GRAIN));
        bytes += whole * GRAIN;
      }
    }
    return bytes / ((System.nanoTime() - start) / 1e9);
  }
}
