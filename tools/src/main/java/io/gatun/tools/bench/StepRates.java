package io.gatun.tools.bench;

import com.sun.management.ThreadMXBean;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;

/// Steps that write a token each of several sequences at once.
///
/// @param tokensPerSecond of all sequences together, by the median step
/// @param allocatedBytes what a warm step takes of Java's heap, on all threads
record StepRates(double tokensPerSecond, long allocatedBytes) {
  private static final int STEPS = 15;
  private static final int CAPACITY = 2048;
  private static final long MOST_WARM_UP_NANOS = 3_000_000_000L;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /// Measures steps of so many sequences.
  static StepRates measure(Decoder decoder, Ops ops, DType.Plain kv, int rows) {
    var sequences = new ArrayList<Sequence>();
    try (var pool = new KvPool(Long.MAX_VALUE)) {
      for (int i = 0; i < rows; i++) {
        sequences.add(new Sequence(pool, decoder.layout(kv), CAPACITY));
      }
      var ids = Collections.nCopies(rows, new int[] {1});
      var rest = new CompilerRest(0, MOST_WARM_UP_NANOS);
      for (int i = 0; i < 3 || i < CAPACITY / 2 && !rest.isReached(); i++) {
        step(decoder, ops, Batch.of(sequences, ids));
      }
      var seconds = new double[STEPS];
      long before = THREADS.getTotalThreadAllocatedBytes();
      for (int i = 0; i < STEPS; i++) {
        long start = System.nanoTime();
        step(decoder, ops, Batch.of(sequences, ids));
        seconds[i] = (System.nanoTime() - start) / 1e9;
      }
      long allocated = THREADS.getTotalThreadAllocatedBytes() - before;
      Arrays.sort(seconds);
      return new StepRates(rows / seconds[STEPS / 2], allocated / STEPS);
    } finally {
      sequences.forEach(Sequence::close);
    }
  }

  private static void step(Decoder decoder, Ops ops, Batch batch) {
    try (var _ = ops.scope()) {
      decoder.logits(ops, decoder.forward(ops, batch));
    }
  }
}
