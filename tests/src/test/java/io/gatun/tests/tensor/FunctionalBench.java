package io.gatun.tests.tensor;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Quantization;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/// Speeds of the operations of [Functional] on the shapes of SAM and Stable Diffusion: a main, not
/// a test. Products are compared with oneDNN's product of two large matrices, and the rest with a
/// copy of as many bytes, both measured in turn with them.
///
/// Arguments: BF16 or F32 (BF16 if none), and words that the names of what to measure begin with
/// (all if none).
public final class FunctionalBench {
  private static final int THREADS = Integer.getInteger("threads", 2);
  private static final int REPEATS = Integer.getInteger("repeats", 5);
  private static final int ROOF_SIZE = 2048;

  /// Name, rows, K, N.
  private record Shape(String name, int rows, int k, int n) {}

  private static final List<Shape> SHAPES =
      List.of(
          new Shape("sam-b qkv", 4096, 768, 2304),
          new Shape("sam-b proj", 4096, 768, 768),
          new Shape("sam-b mlp1", 4096, 768, 3072),
          new Shape("sam-b mlp2", 4096, 3072, 768),
          new Shape("sam-h qkv", 4096, 1280, 3840),
          new Shape("sam-h mlp1", 4096, 1280, 5120),
          new Shape("sam-h mlp2", 4096, 5120, 1280),
          new Shape("sd15 320", 8192, 320, 320),
          new Shape("sd15 320 geglu", 8192, 320, 2560),
          new Shape("sd15 640", 2048, 640, 640),
          new Shape("sd15 640 geglu", 2048, 640, 5120),
          new Shape("sd15 1280", 512, 1280, 1280),
          new Shape("sd15 1280 geglu", 512, 1280, 10240),
          new Shape("sdxl 640", 8192, 640, 640),
          new Shape("sdxl 640 geglu", 8192, 640, 5120),
          new Shape("sdxl 1280", 2048, 1280, 1280),
          new Shape("sdxl 1280 geglu", 2048, 1280, 10240),
          new Shape("sdxl 1280 out", 2048, 5120, 1280),
          new Shape("sdxl context", 154, 2048, 1280),
          new Shape("time", 2, 1280, 1280),
          new Shape("tiny", 64, 64, 128));

  private final SplittableRandom random = new SplittableRandom(1);
  private final Arena arena = Arena.ofShared();
  private final Ops ops = new Ops(Backend.NATIVE, THREADS);
  private final Plain dtype;
  private final List<String> names;
  private final Functional f;

  public static void main(String[] args) {
    new FunctionalBench(args).run();
  }

  private FunctionalBench(String[] args) {
    dtype = args.length > 0 && args[0].equals("F32") ? Plain.F32 : Plain.BF16;
    names = Arrays.stream(args).filter(a -> !a.equals("F32") && !a.equals("BF16")).toList();
    f = new Functional(ops, dtype);
  }

  private void run() {
    Runnable roof = roof();
    for (var s : SHAPES) {
      var weight = LinearWeight.of(random(dtype, s.n, s.k), random(Plain.F32, s.n));
      var x = random(dtype, s.rows, s.k);
      var residual = random(dtype, s.rows, s.n);
      double flops = 2.0 * s.rows * s.k * s.n;
      product(s.name, roof, flops, () -> f.linear(x, weight));
      product(s.name + " gelu", roof, flops, () -> f.linear(x, weight, GELU));
      if (s.name.endsWith("geglu")) {
        product(s.name + " fused", roof, flops, () -> f.linearGeglu(x, weight));
        product(s.name + " apart", roof, flops, () -> f.geglu(f.linear(x, weight)));
      }
      for (var q : new Quantization[] {Quantization.INT8, Quantization.INT8_DYNAMIC}) {
        var rounded = weight.quantized(q);
        product(s.name + " " + q, roof, flops, () -> f.linear(x, rounded));
        if (s.name.endsWith("geglu")) {
          product(s.name + " fused " + q, roof, flops, () -> f.linearGeglu(x, rounded));
        }
      }
      product(s.name + " add", roof, flops, () -> f.linear(x, weight, Epilogue.add(residual)));
    }
    for (var s : new long[][] {{2, 4096, 320}, {2, 1024, 1280}, {1, 4096, 768}}) {
      var x = random(dtype, s);
      var w = random(Plain.F32, s[2]);
      var wide = random(dtype, s[0], s[1], 8 * s[2]);
      String shape = " %dx%dx%d".formatted(s[0], s[1], s[2]);
      other("norm layer" + shape, 2 * x.size(), () -> f.layerNorm(x, w, w, 1e-5f));
      other(
          "norm group silu" + shape,
          2 * x.size(),
          () -> f.groupNorm(x, 32, w, w, 1e-5f, Activation.SILU));
      other("map silu" + shape, 2 * x.size(), () -> f.activate(x, Activation.SILU));
      other("map gelu" + shape, 2 * x.size(), () -> f.activate(x, Activation.GELU));
      other("map geglu" + shape, wide.size() * 3 / 2, () -> f.geglu(wide));
      other("map add" + shape, 3 * x.size(), () -> f.add(x, x));
      other("map concat" + shape, 4 * x.size(), () -> f.concat(x, x));
      other("map f32" + shape, 2 * x.size(), () -> f.toF32(x));
    }
  }

  private static final Epilogue GELU = Epilogue.of(Activation.GELU);

  private boolean wanted(String name) {
    return names.isEmpty() || names.stream().anyMatch(name::startsWith);
  }

  private void product(String name, Runnable roof, double flops, Supplier<Tensor> operation) {
    if (!wanted(name)) {
      return;
    }
    double[] best = seconds(roof, REPEATS, 30_000_000, operation);
    double peak = 2.0 * ROOF_SIZE * ROOF_SIZE * ROOF_SIZE / best[0];
    System.out.printf(
        "%-28s %8.3f ms %7.0f GFLOP/s  %4.2f of %.0f%n",
        name, best[1] * 1e3, flops / best[1] / 1e9, flops / best[1] / peak, peak / 1e9);
  }

  private void other(String name, long elements, Supplier<Tensor> operation) {
    if (!wanted(name)) {
      return;
    }
    long bytes = elements * dtype.blockBytes();
    MemorySegment source = arena.allocate(bytes / 2);
    MemorySegment target = arena.allocate(bytes / 2);
    Runnable copy =
        () ->
            ops.workers()
                .forEach(
                    bytes / 2,
                    1 << 16,
                    (worker, from, to) ->
                        MemorySegment.copy(source, from, target, from, to - from));
    double[] best = seconds(copy, 25, 4_000_000, operation);
    System.out.printf(
        "%-28s %8.3f ms %7.1f GB/s  %4.2f of a copy's %.1f%n",
        name, best[1] * 1e3, bytes / best[1] / 1e9, best[0] / best[1], bytes / best[0] / 1e9);
  }

  /// The best times of the yardstick and of the operation, run in turn.
  private double[] seconds(
      Runnable yardstick, int repeats, long nanos, Supplier<Tensor> operation) {
    double[] best = {Double.MAX_VALUE, Double.MAX_VALUE};
    for (int i = 0; i < repeats + 2; i++) {
      long start = System.nanoTime();
      yardstick.run();
      best[0] = Math.min(best[0], (System.nanoTime() - start) * 1e-9);
      best[1] = Math.min(best[1], repeated(nanos, operation));
    }
    return best;
  }

  private double repeated(long nanos, Supplier<Tensor> operation) {
    long start = System.nanoTime();
    long end;
    int runs = 0;
    do {
      try (var _ = f.scope()) {
        var _ = operation.get();
      }
      runs++;
      end = System.nanoTime();
    } while (end - start < nanos);
    return (end - start) * 1e-9 / runs;
  }

  private Runnable roof() {
    var type = dtype == Plain.BF16 ? ElementType.BF16 : ElementType.F32;
    int columns = ROOF_SIZE / THREADS;
    var rows = MatmulSpec.of(ROOF_SIZE, columns, ROOF_SIZE, type, type, type, true);
    var packed = OneDnn.packedLayout(rows);
    var spec = rows.withStrides(ROOF_SIZE, packed, ROOF_SIZE);
    var a = random(dtype, ROOF_SIZE, ROOF_SIZE).segment();
    var c = arena.allocate(a.byteSize(), 64);
    var weights = arena.allocate(packed.byteSize(), 64);
    OneDnn.pack(rows, type, a, packed, weights);
    return () ->
        ops.workers()
            .forEach(
                THREADS,
                1,
                (worker, from, to) -> {
                  for (long i = from; i < to; i++) {
                    OneDnn.matmul(spec, a, weights, c.asSlice(i * columns * type.bytes()));
                  }
                });
  }

  private Tensor random(Plain type, long... dims) {
    var t = Tensor.allocate(arena, type, dims);
    for (long i = 0; i < t.size(); i++) {
      Floats.store(type, t.segment(), 0, i, (float) random.nextDouble(-1, 1));
    }
    return t;
  }
}
