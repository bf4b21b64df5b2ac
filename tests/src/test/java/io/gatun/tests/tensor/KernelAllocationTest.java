package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.Shape;
import io.gatun.tensor.kernel.tiled.QuantizedRows;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A kernel that is compiled well makes no objects: where C2 does not inline all of it, each vector
/// becomes one, and it is slower by far.
///
/// New JVMs, with the options that users have, run the products of tiled weights and the rounding
/// of activations, each in another order, since what ran before shapes how a kernel is compiled.
/// All other kernels still make some objects in some orders, and are not here.
class KernelAllocationTest {
  private static final int K = 1024;
  private static final int N = 64;

  /// So many calls without an object, and a kernel is taken to be compiled.
  private static final int CALLS = 50;

  private static final long LIMIT_NANOS = 20_000_000_000L;

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void warmKernelsTakeNoHeap(int order) throws Exception {
    var flags = List.of(Processes.KERNEL_OPTIONS, "-Xmx256m", "-XX:+UseSerialGC");
    Result result =
        Processes.run(Processes.java(KernelAllocationTest.class, flags, Integer.toString(order)));
    assertEquals(0, result.code(), result.out() + result.err());
    assertEquals("", result.out());
  }

  /// Prints the kernels that still make objects when they have run for a while.
  public static void main(String[] args) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined()) {
      var kernels = new ArrayList<>(kernels(arena).entrySet());
      Collections.shuffle(kernels, new Random(Long.parseLong(args[0])));
      for (var kernel : kernels) {
        long limit = System.nanoTime() + LIMIT_NANOS;
        long least = Long.MAX_VALUE;
        while (least > 0 && System.nanoTime() < limit) {
          long before = threads.getCurrentThreadAllocatedBytes();
          for (int i = 0; i < CALLS; i++) {
            kernel.getValue().run();
          }
          least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        if (least > 0) {
          System.out.printf("%s: %d bytes a call%n", kernel.getKey(), least / CALLS);
        }
      }
    }
  }

  private static Map<String, Runnable> kernels(Arena arena) {
    var kernels = new LinkedHashMap<String, Runnable>();
    var random = new SplittableRandom(1);
    var x = floats(arena, 2 * K, random);
    var y = floats(arena, N * K, random);
    tiled(kernels, arena, x, y, random);
    return kernels;
  }

  private static void tiled(
      Map<String, Runnable> kernels,
      Arena arena,
      MemorySegment x,
      MemorySegment y,
      SplittableRandom random) {
    for (int bits : new int[] {4, 8}) {
      var q = arena.allocate(2 * QuantizedRows.rowBytes(K), 64);
      kernels.put("QuantizedRows " + bits, () -> QuantizedRows.quantize(x, 0, q, 0, K, bits));
    }
    for (Tiled type : List.of(new Tiled(4, 32), new Tiled(4, 32, true), new Tiled(8, 32))) {
      var w = bytes(arena, type.byteSize(Shape.of(N, K)), random);
      var q = arena.allocate(2 * QuantizedRows.rowBytes(K), 64);
      for (int m = 0; m < 2; m++) {
        QuantizedRows.quantize(x, 4L * m * K, q, m * QuantizedRows.rowBytes(K), K, type.bits());
      }
      var scratch = arena.allocate(TiledProduct.SCRATCH_BYTES, 64);
      for (int count = 1; count <= 2; count++) {
        var product = new TiledProduct(type, w, 0, N, K, q, 0, count, y, 0, 4L * N);
        kernels.put(type.name() + " x " + count, () -> product.multiply(0, N / 32, scratch, 0));
      }
    }
  }

  /// Small positive numbers, whatever the bytes are read as.
  private static MemorySegment bytes(Arena arena, long size, SplittableRandom random) {
    var memory = arena.allocate(size, 64);
    for (long i = 0; i < size; i++) {
      memory.set(ValueLayout.JAVA_BYTE, i, (byte) (0x21 + random.nextInt(4)));
    }
    return memory;
  }

  private static MemorySegment floats(Arena arena, int n, SplittableRandom random) {
    var memory = arena.allocate(4L * n, 64);
    for (long i = 0; i < n; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(0.1, 2));
    }
    return memory;
  }
}
