package io.gatun.tests.tensor;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.ops.AttentionBias;
import io.gatun.tensor.ops.AttentionBias.RelativePositions;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.ConvWeight.Padding;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.SplittableRandom;

/// Speeds of the convolutions and attentions of Segment Anything and Stable Diffusion: a main, not
/// a test. Each is compared with the matrix product of the same type that ran right before.
///
/// Arguments: parts of the names of what to measure (all if none). Properties: `dtype`, `backend`,
/// `threads`, `seconds` for each.
public final class ConvAttentionBench {
  private static final DType.Plain DTYPE = DType.Plain.valueOf(System.getProperty("dtype", "BF16"));
  private static final double SECONDS = Double.parseDouble(System.getProperty("seconds", "0.5"));

  private record Conv(
      String name, int batch, int height, int width, int in, int out, int kernel, int stride) {}

  private record Attend(
      String name, int batch, int queries, int keys, int heads, int c, int grid) {}

  private static final List<Conv> CONVOLUTIONS =
      List.of(
          new Conv("unet 64x64 320-320", 2, 64, 64, 320, 320, 3, 1),
          new Conv("unet 64x64 960-320", 2, 64, 64, 960, 320, 3, 1),
          new Conv("unet 32x32 640-640", 2, 32, 32, 640, 640, 3, 1),
          new Conv("unet 32x32 1920-640", 2, 32, 32, 1920, 640, 3, 1),
          new Conv("unet 16x16 1280-1280", 2, 16, 16, 1280, 1280, 3, 1),
          new Conv("unet 16x16 2560-1280", 2, 16, 16, 2560, 1280, 3, 1),
          new Conv("unet 8x8 1280-1280", 2, 8, 8, 1280, 1280, 3, 1),
          new Conv("unet 8x8 2560-1280", 2, 8, 8, 2560, 1280, 3, 1),
          new Conv("unet down 64x64 320-320", 2, 64, 64, 320, 320, 3, 2),
          new Conv("unet in 64x64 4-320", 2, 64, 64, 4, 320, 3, 1),
          new Conv("unet out 64x64 320-4", 2, 64, 64, 320, 4, 3, 1),
          new Conv("unet shortcut 32x32 1920-640", 2, 32, 32, 1920, 640, 1, 1),
          new Conv("xl 128x128 320-320", 2, 128, 128, 320, 320, 3, 1),
          new Conv("vae 64x64 512-512", 1, 64, 64, 512, 512, 3, 1),
          new Conv("vae 256x256 256-256", 1, 256, 256, 256, 256, 3, 1),
          new Conv("vae 512x512 128-128", 1, 512, 512, 128, 128, 3, 1),
          new Conv("vae out 512x512 128-3", 1, 512, 512, 128, 3, 3, 1),
          new Conv("vae in 512x512 3-128", 1, 512, 512, 3, 128, 3, 1),
          new Conv("sam patches 1024x1024 3-768", 1, 1024, 1024, 3, 768, 16, 16),
          new Conv("sam neck 64x64 256-256", 1, 64, 64, 256, 256, 3, 1));

  private static final List<Attend> ATTENTIONS =
      List.of(
          new Attend("sam-b global", 1, 4096, 4096, 12, 64, 64),
          new Attend("sam-h global", 1, 4096, 4096, 16, 80, 64),
          new Attend("sam-b windows", 25, 196, 196, 12, 64, 14),
          new Attend("sam decoder tokens", 64, 7, 4096, 8, 16, 0),
          new Attend("sam decoder image", 64, 4096, 7, 8, 16, 0),
          new Attend("unet 64x64 self", 2, 4096, 4096, 8, 40, 0),
          new Attend("unet 32x32 self", 2, 1024, 1024, 8, 80, 0),
          new Attend("unet 16x16 self", 2, 256, 256, 8, 160, 0),
          new Attend("unet 64x64 cross", 2, 4096, 77, 8, 40, 0),
          new Attend("unet 32x32 cross", 2, 1024, 77, 8, 80, 0),
          new Attend("xl 64x64 self", 2, 4096, 4096, 10, 64, 0),
          new Attend("xl 64x64 cross", 2, 4096, 77, 10, 64, 0),
          new Attend("vae 64x64", 1, 4096, 4096, 1, 512, 0));

  private final SplittableRandom random = new SplittableRandom(1);
  private final Ops ops;
  private final Functional f;

  private ConvAttentionBench(Ops ops) {
    this.ops = ops;
    this.f = new Functional(ops, DTYPE);
  }

  public static void main(String[] args) {
    var backend = Backend.valueOf(System.getProperty("backend", "NATIVE"));
    try (var ops = new Ops(backend, Integer.getInteger("threads", 2))) {
      var bench = new ConvAttentionBench(ops);
      for (var c : CONVOLUTIONS) {
        if (matches(args, "conv " + c.name)) {
          bench.convolution(c);
        }
      }
      for (var a : ATTENTIONS) {
        if (matches(args, "attention " + a.name)) {
          bench.attention(a);
        }
      }
    }
  }

  private static boolean matches(String[] args, String name) {
    return args.length == 0 || List.of(args).stream().anyMatch(name::contains);
  }

  private void convolution(Conv c) {
    try (var arena = Arena.ofShared()) {
      var x = random(arena, DTYPE, c.batch, c.height, c.width, c.in);
      var weight = random(arena, DTYPE, c.out, c.in, c.kernel, c.kernel);
      var bias = random(arena, DTYPE, c.out);
      var padding = Padding.of(c.stride < c.kernel ? c.kernel / 2 : 0);
      var w = ConvWeight.of(weight, bias, c.stride, padding);
      double flops =
          2.0
              * c.batch
              * c.out
              * c.in
              * c.kernel
              * c.kernel
              * (c.height / c.stride)
              * (c.width / c.stride);
      report("conv " + c.name, flops, () -> f.conv2d(x, w));
    }
  }

  private void attention(Attend a) {
    try (var arena = Arena.ofShared()) {
      long d = (long) a.heads * a.c;
      boolean self = a.queries == a.keys;
      var qkv = random(arena, DTYPE, a.batch, a.queries, self ? 3 * d : d);
      var kv = self ? qkv : random(arena, DTYPE, a.batch, a.keys, 2 * d);
      var q = qkv.slice(2, 0, d);
      var k = self ? qkv.slice(2, d, 2 * d) : kv.slice(2, 0, d);
      var v = self ? qkv.slice(2, 2 * d, 3 * d) : kv.slice(2, d, 2 * d);
      AttentionBias bias =
          a.grid == 0
              ? AttentionBias.NONE
              : new RelativePositions(
                  random(arena, DType.Plain.F32, 2L * a.grid - 1, a.c),
                  random(arena, DType.Plain.F32, 2L * a.grid - 1, a.c),
                  a.grid,
                  a.grid);
      double flops = 4.0 * a.batch * a.queries * a.keys * d;
      float scale = (float) (1 / Math.sqrt(a.c));
      report("attention " + a.name, flops, () -> f.attention(q, k, v, a.heads, scale, bias));
    }
  }

  private void report(String name, double flops, Runnable operation) {
    double roof = roof();
    double best = best(operation);
    System.out.printf(
        "%-40s %9.3f ms %8.0f GFLOP/s  %4.2f of %.0f%n",
        name, best * 1e3, flops / best * 1e-9, flops / best * 1e-9 / roof, roof);
  }

  /// GFLOP/s of a product of matrices of 2048 x 2048, its rows shared by the threads.
  private double roof() {
    int n = 2048;
    var type = DTYPE == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32;
    try (var arena = Arena.ofShared()) {
      var a = random(arena, DTYPE, n, n).segment();
      var b = random(arena, DTYPE, n, n).segment();
      var c = arena.allocate(4L * n * n, 64);
      int rows = n / ops.workers().threads();
      long bytes = (long) rows * n * type.bytes();
      double seconds;
      if (OneDnn.isAvailable()) {
        var spec = MatmulSpec.of(rows, n, n, type, type, type, false);
        var layout = OneDnn.packedLayout(spec);
        MemorySegment packed = arena.allocate(layout.byteSize(), 64);
        OneDnn.pack(spec, type, b, layout, packed);
        var product = spec.withLayout(layout);
        seconds =
            best(
                () ->
                    ops.workers()
                        .forEach(
                            ops.workers().threads(),
                            1,
                            (worker, from, to) ->
                                OneDnn.matmul(
                                    product,
                                    a.asSlice(from * bytes),
                                    packed,
                                    c.asSlice(from * bytes))));
      } else {
        var floats = random(arena, DType.Plain.F32, n, n).segment();
        seconds =
            best(
                () ->
                    ops.workers()
                        .forEach(
                            ops.workers().threads(),
                            1,
                            (worker, from, to) -> {
                              long at = 4 * from * rows * n;
                              OpenBlas.sgemm(
                                  false,
                                  false,
                                  rows,
                                  n,
                                  n,
                                  1,
                                  floats.asSlice(at),
                                  n,
                                  floats,
                                  n,
                                  0,
                                  c.asSlice(at),
                                  n);
                            }));
      }
      return 2.0 * rows * ops.workers().threads() * n * n / seconds * 1e-9;
    }
  }

  private double best(Runnable operation) {
    double best = Double.MAX_VALUE;
    long start = System.nanoTime();
    for (int i = 0; i < 3 || (System.nanoTime() - start) * 1e-9 < SECONDS; i++) {
      long before = System.nanoTime();
      try (var _ = f.scope()) {
        operation.run();
      }
      best = Math.min(best, (System.nanoTime() - before) * 1e-9);
    }
    return best;
  }

  private Tensor random(Arena arena, DType.Plain dtype, long... dims) {
    var t = Tensor.allocate(arena, dtype, dims);
    for (long i = 0; i < t.size(); i++) {
      Floats.store(dtype, t.segment(), 0, i, (float) random.nextDouble(-1, 1));
    }
    return t;
  }
}
