package io.gatun.tests.tensor;

import io.gatun.ffm.MemoryAdvice;
import io.gatun.tensor.DType;
import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.kernel.QuantizedRows;
import io.gatun.tensor.kernel.ReadKernel;
import io.gatun.tensor.kernel.RowDots;
import io.gatun.tensor.kernel.TiledProduct;
import io.gatun.tensor.kernel.Unpack;
import io.gatun.tensor.kernel.VectorKernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;

/// Speeds of the weight kernels on the matrices of a 1.1B Llama, streamed from memory: a main, not
/// a test. Each line compares with what the same threads read from the same memory right before.
///
/// Arguments: names of what to measure (all if none), and numbers of activation rows (1 if none).
public final class KernelBench {
  /// TinyLlama-1.1B: q, k and v; output; gate and up; down.
  private static final int[][] SHAPES = {{2560, 2048}, {2048, 2048}, {11264, 2048}, {2048, 5632}};

  private static final long BYTES = 600L << 20;
  private static final int THREADS = Integer.getInteger("threads", 2);
  private static final int REPEATS = Integer.getInteger("repeats", 5);
  private static final int MAX_ROWS = 16;
  private static final int MAX_COLUMNS = 5632;
  private static volatile int sink;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment weights = arena.allocate(BYTES, 1 << 21);
  private final MemorySegment x = arena.allocate(4L * MAX_ROWS * MAX_COLUMNS, 64);
  private final MemorySegment q =
      arena.allocate(MAX_ROWS * QuantizedRows.rowBytes(MAX_COLUMNS), 64);
  private final MemorySegment y = arena.allocate(4L * MAX_ROWS * 11264, 64);
  private final MemorySegment scratch = arena.allocate(THREADS * (1L << 16), 64);

  private interface Work {
    /// One thread's part of all matrices.
    void run(int thread);
  }

  private interface Product {
    void run(long weightsAt, int n, int k, int thread, int from, int to);
  }

  public static void main(String[] args) throws Exception {
    new KernelBench().run(args);
  }

  private KernelBench() {
    MemoryAdvice.hugePages(weights);
    var random = new SplittableRandom(1);
    long pattern = 1 << 20;
    for (long i = 0; i < pattern; i += 8) {
      weights.set(ValueLayout.JAVA_LONG, i, random.nextLong() & 0x3FFF_FFFF_3FFF_FFFFL);
    }
    for (long i = pattern; i < BYTES; i += pattern) {
      MemorySegment.copy(weights, 0, weights, i, pattern);
    }
    for (long i = 0; i < x.byteSize(); i += 4) {
      x.set(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-1, 1));
    }
  }

  private void run(String[] args) throws Exception {
    int[] counts =
        Arrays.stream(args).filter(a -> a.matches("\\d+")).mapToInt(Integer::parseInt).toArray();
    List<String> names = Arrays.stream(args).filter(a -> !a.matches("\\d+")).toList();
    for (Tiled type :
        new Tiled[] {
          new Tiled(4, 32),
          new Tiled(4, 128),
          new Tiled(4, 32, true),
          new Tiled(8, 32),
          new Tiled(8, 128)
        }) {
      for (int count : counts.length == 0 ? new int[] {1} : counts) {
        if (names.isEmpty() || names.contains(type.name())) {
          tiled(type, count);
        }
      }
    }
    for (DType type :
        new DType[] {
          DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16, DType.Block.Q8_0, DType.Block.Q4_0,
          DType.Block.Q4_K, DType.Block.Q6_K, DType.Block.Q4_1, DType.Block.Q5_0, DType.Block.Q5_1,
          DType.Block.Q5_K
        }) {
      if (names.isEmpty() || names.contains(type.name())) {
        if (RowDots.supports(type, 2048)) {
          measure(
              type,
              1,
              "in place",
              (at, n, k, thread, from, to) ->
                  RowDots.multiply(type, weights, at, k, x, 0, from, to, y, 0));
        }
        unpacked(type);
      }
    }
  }

  private void tiled(Tiled type, int count) throws Exception {
    measure(
        type,
        count,
        "tiled",
        (at, n, k, thread, from, to) -> {
          var product = new TiledProduct(type, weights, at, n, k, q, 0, count, y, 0, 4L * n);
          product.multiply(from / 32, to / 32, scratch, thread * (1L << 16));
        });
  }

  private void unpacked(DType type) throws Exception {
    var kernels = new VectorKernels();
    measure(
        type,
        1,
        "unpacked",
        (at, n, k, thread, from, to) -> {
          long rowBytes = (long) k / type.blockSize() * type.blockBytes();
          long row = thread * (1L << 16);
          for (int j = from; j < to; j++) {
            float dot;
            if (type == DType.Plain.F32) {
              dot = kernels.dot(x, 0, weights, at + j * rowBytes, k);
            } else {
              Unpack.toFloat(type, weights, at + j * rowBytes, scratch, row, k);
              dot = kernels.dot(x, 0, scratch, row, k);
            }
            y.set(ValueLayout.JAVA_FLOAT, 4L * j, dot);
          }
        });
  }

  private void measure(DType type, int count, String how, Product product) throws Exception {
    long layerWeights = 0;
    for (int[] shape : SHAPES) {
      layerWeights += (long) shape[0] * shape[1];
    }
    long layerBytes = layerWeights / type.blockSize() * type.blockBytes();
    int layers = (int) (BYTES / layerBytes);
    if (type instanceof Tiled tiled) {
      for (int m = 0; m < count; m++) {
        QuantizedRows.quantize(
            x,
            4L * m * MAX_COLUMNS,
            q,
            m * QuantizedRows.rowBytes(MAX_COLUMNS),
            MAX_COLUMNS,
            tiled.bits());
      }
    }
    Work all =
        thread -> {
          for (int layer = 0; layer < layers; layer++) {
            long at = layer * layerBytes;
            for (int[] shape : SHAPES) {
              int n = shape[0];
              int k = shape[1];
              int from = n / 32 * thread / THREADS * 32;
              int to = n / 32 * (thread + 1) / THREADS * 32;
              product.run(at, n, k, thread, from, to);
              at += (long) n * k / type.blockSize() * type.blockBytes();
            }
          }
        };
    long read = BYTES / THREADS / ReadKernel.GRAIN * ReadKernel.GRAIN;
    Work reading = thread -> sink = ReadKernel.xor(weights, thread * read, (thread + 1) * read);
    seconds(2, reading);
    seconds(2, all);
    double bandwidth = 0;
    double best = Double.MAX_VALUE;
    for (int i = 0; i < REPEATS; i++) {
      bandwidth = Math.max(bandwidth, read * THREADS / seconds(1, reading) / 1e9);
      best = Math.min(best, seconds(1, all));
    }
    double gigabytes = layers * layerBytes / best / 1e9;
    System.out.printf(
        "%-12s %-8s x%-2d %7.1f Gweights/s %6.1f GB/s  %4.2f of %.1f read  %7.1f GOP/s%n",
        type.name(),
        how,
        count,
        layers * layerWeights / best / 1e9,
        gigabytes,
        gigabytes / bandwidth,
        bandwidth,
        2.0 * count * layers * layerWeights / best / 1e9);
  }

  private static double seconds(int repeats, Work work) throws Exception {
    var barrier = new CyclicBarrier(THREADS + 1);
    var threads = new Thread[THREADS];
    for (int t = 0; t < THREADS; t++) {
      int id = t;
      threads[t] =
          new Thread(
              () -> {
                try {
                  barrier.await();
                  for (int i = 0; i < repeats; i++) {
                    work.run(id);
                  }
                } catch (Exception e) {
                  throw new IllegalStateException(e);
                }
              });
      threads[t].start();
    }
    barrier.await();
    long start = System.nanoTime();
    for (var thread : threads) {
      thread.join();
    }
    return (System.nanoTime() - start) * 1e-9 / repeats;
  }
}
