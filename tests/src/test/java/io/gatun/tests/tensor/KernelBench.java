package io.gatun.tests.tensor;

import io.gatun.tensor.kernel.QuantizedRows;
import io.gatun.tensor.kernel.ReadMemory;
import io.gatun.tensor.kernel.TiledInt4;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CyclicBarrier;

public class KernelBench {
  interface Work {
    void run(int thread, int threads);
  }

  static double seconds(int threads, int reps, Work work) throws Exception {
    double best = 1e9;
    double[] times = new double[reps];
    CyclicBarrier barrier = new CyclicBarrier(threads);
    Thread[] all = new Thread[threads];
    for (int t = 0; t < threads; t++) {
      int id = t;
      all[t] = new Thread(() -> {
        try {
          for (int r = 0; r < reps; r++) {
            barrier.await();
            long a = System.nanoTime();
            work.run(id, threads);
            barrier.await();
            if (id == 0) times[r] = (System.nanoTime() - a) * 1e-9;
          }
        } catch (Exception e) { throw new RuntimeException(e); }
      });
      all[t].start();
    }
    for (Thread t : all) t.join();
    for (double d : times) best = Math.min(best, d);
    return best;
  }

  static volatile long sink;

  @SuppressWarnings("restricted")
  public static void main(String[] args) throws Exception {
    int n = 2 * 5632, k = 2048, layers = 40;
    long layer = (long) n * k / 32 * 18;
    long size = layer * layers;
    Arena arena = Arena.ofShared();
    MemorySegment w = arena.allocate(size, 1 << 21);
    if (args.length > 0) {
      var madvise = Linker.nativeLinker().downcallHandle(
          Linker.nativeLinker().defaultLookup().find("madvise").get(),
          FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
      try { System.out.println("madvise " + (int) madvise.invoke(w, size, 14)); } catch (Throwable t) { throw new RuntimeException(t); }
    }
    java.util.SplittableRandom rnd = new java.util.SplittableRandom(1);
    MemorySegment one = arena.allocate(layer, 64);
    for (long i = 0; i < layer; i += 8) one.set(ValueLayout.JAVA_LONG_UNALIGNED, i, rnd.nextLong());
    for (long i = 0; i < layer; i += 576) for (int j = 0; j < 64; j += 2) one.set(ValueLayout.JAVA_SHORT_UNALIGNED, i + j, (short) 0x2000);
    for (int l = 0; l < layers; l++) MemorySegment.copy(one, 0, w, l * layer, layer);
    MemorySegment x = arena.allocate(k * 4L, 64), q = arena.allocate(QuantizedRows.rowBytes(k), 64), y = arena.allocate(n * 4L * 16, 64);
    for (int i = 0; i < k; i++) x.set(ValueLayout.JAVA_FLOAT, i * 4, (float) rnd.nextDouble(-1, 1));
    QuantizedRows.quantize(x, 0, q, 0, k, 4);
    var type = new io.gatun.tensor.DType.Tiled(4, 32);
    MemorySegment[] scratch = {arena.allocate(8192, 64), arena.allocate(8192, 64)};
    for (int round = 0; round < Integer.getInteger("rounds", 1); round++) {
      for (int threads = 1; threads <= 2; threads++) {
        double t = seconds(threads, 5, (id, th) -> sink = ReadMemory.read(w, size / th * id, size / th * (id + 1)));
        double bw = size / t / 1e9;
        int tiles = n / 32;
        double t4 = seconds(threads, 5, (id, th) -> {
          for (int l = 0; l < layers; l++)
            TiledInt4.multiply(type, w, l * layer, q, 0, 1, k, tiles * id / th, tiles * (id + 1) / th, y, 0, n * 4, scratch[id]);
        });
        double tc = seconds(threads, 5, (id, th) -> {
          for (int l = 0; l < 2000; l++)
            TiledInt4.multiply(type, w, 0, q, 0, 1, k, 8 * id, 8 * (id + 1), y, 0, n * 4, scratch[id]);
        });
        System.out.printf("cached %.1f ", 2000.0 * 8 * 32 * k * threads / tc / 1e9);
        double gw = (double) layers * n * k / t4 / 1e9;
        System.out.printf("%d threads: read %.1f GB/s; int4 %.1f Gw/s %.1f GB/s %.2f%n", threads, bw, gw, size / t4 / 1e9, t / t4);
      }
    }
  }
}
