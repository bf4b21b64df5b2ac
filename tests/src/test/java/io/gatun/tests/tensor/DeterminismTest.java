package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/// Results are the same to the last bit whether the JVM interprets a kernel or has compiled it,
/// which depends on how often it ran before, and whatever the number of threads.
@Execution(ExecutionMode.CONCURRENT)
class DeterminismTest {
  private static final int K = 256;
  private static final int N = 32;

  /// So often that C2 has compiled all kernels, which their options say to do early.
  private static final int ROUNDS = 60;

  @Test
  void interpretedAndCompiledKernelsAgree() throws Exception {
    var compiled = new FutureTask<>(() -> printed(List.of(Processes.KERNEL_OPTIONS), ROUNDS));
    Thread.startVirtualThread(compiled);
    String interpreted = printed(List.of("-Xint"), 1);
    assertEquals(interpreted, compiled.get());
    assertEquals(interpreted, results(2, 1));
  }

  @Test
  void numbersOfThreadsAgree() {
    assertEquals(results(1, 1), results(3, 1));
  }

  /// What a JVM of its own prints.
  private static String printed(List<String> flags, int rounds) throws Exception {
    Result result =
        Processes.run(Processes.java(DeterminismTest.class, flags, Integer.toString(rounds)));
    assertEquals(0, result.code(), result.out() + result.err());
    return result.out().strip();
  }

  /// Prints the results of the last of some rounds.
  public static void main(String[] args) {
    System.out.println(results(2, Integer.parseInt(args[0])));
  }

  /// A line for each operation, with its results' bits.
  private static String results(int threads, int rounds) {
    try (var arena = Arena.ofShared();
        var ops = new Ops(Backend.VECTOR, threads, Precision.FAST);
        var nativeOps = new Ops(Backend.NATIVE, threads, Precision.FAST)) {
      var random = new Random(5);
      var x = random(arena, random, 1, K);
      var heads = random(arena, random, 300, 2, K / 2);
      var weights = new LinkedHashMap<String, Tensor>();
      var floats = random(arena, random, N, K);
      weights.put("F32", floats);
      for (var type : new DType[] {DType.Plain.F16, DType.Plain.BF16}) {
        weights.put(type.name(), randomBytes(arena, random, type));
      }
      for (var type : DType.Block.values()) {
        if (Ops.supports(type)) {
          weights.put(type.name(), randomBytes(arena, random, type));
        }
      }
      var tiled = new DType.Tiled(4, 32);
      var packed = Tensor.allocate(arena, tiled, N, K);
      Packing.convert(ops.workers(), floats, tiled, part -> packed.segment().copyFrom(part));
      weights.put(tiled.name(), packed);
      Map<String, String> results = new LinkedHashMap<>();
      try (var cache = Cached.of(2, K / 2, DType.Plain.I8, 300)) {
        cache.put(ops, 0, heads, heads);
        for (int i = 0; i < rounds; i++) {
          try (var _ = nativeOps.scope()) {
            var prompt =
                cache.attention(nativeOps, heads.slice(0, 0, 70), 0, new AttentionSpec(0.1f, 0));
            results.put("attention of a prompt", bits(prompt));
          }
          totals(results, arena, false);
          totals(results, arena, true);
          network(results, new Functional(nativeOps, DType.Plain.F32), heads);
          network(results, new Functional(nativeOps, DType.Plain.BF16), heads);
          try (var _ = ops.scope()) {
            results.put("rmsNorm", bits(ops.rmsNorm(x, x.reshape(K), 1e-5f)));
            var y = ops.gatherRows(x, new int[] {0});
            ops.softmax(y);
            results.put("softmax", bits(y));
            var q = x.reshape(1, 2, K / 2);
            results.put(
                "attention", bits(cache.attention(ops, q, 299, new AttentionSpec(0.1f, 0))));
            weights.forEach((name, w) -> results.put(name, bits(ops.linear(x, w))));
          }
        }
      }
      return results.entrySet().stream()
          .map(e -> e.getKey() + " " + e.getValue())
          .collect(Collectors.joining("\n"));
    }
  }

  /// The operations of vision and diffusion networks on `floats` (300, 2, K / 2).
  private static void network(Map<String, String> results, Functional f, Tensor floats) {
    try (var _ = f.scope()) {
      var x = f.cast(floats.reshape(300 * K).slice(0, 0, 2 * 40 * K).reshape(2, 40, K));
      var weight = floats.reshape(300 * K).slice(0, 0, K);
      var operations = new LinkedHashMap<String, Tensor>();
      operations.put("attention", f.attention(x, x, x, 2, AttentionSpec.full(0.1f)));
      operations.put("causal", f.attention(x, x, x, 2, new AttentionSpec(0.1f, 0)));
      operations.put("layerNorm", f.layerNorm(x, weight, weight, 1e-5f));
      operations.put("groupNorm", f.groupNorm(x, 32, weight, weight, 1e-5f, Activation.SILU));
      operations.put("geglu", f.geglu(x));
      for (var activation : Activation.values()) {
        operations.put(activation.name(), f.activate(x, activation));
      }
      operations.put("resize", f.resizeBilinear(x.reshape(2, 5, 8, K), 7, 9));
      operations.forEach((name, y) -> results.put(f.dtype() + " " + name, bits(y)));
    }
  }

  /// The totals of weights, which an attention's result in BF16 hardly shows.
  private static void totals(Map<String, String> results, Arena arena, boolean bf16) {
    int queries = 16;
    int keys = 100;
    var random = new Random(7);
    var products = random(arena, random, queries + 2, keys);
    var sums = Tensor.allocate(arena, DType.Plain.F32, 2, queries);
    new AttentionScores(
            products.segment().address() + 4 * keys,
            4 * keys,
            queries,
            1,
            0,
            keys,
            0,
            Integer.MAX_VALUE,
            Integer.MAX_VALUE,
            1,
            0,
            0,
            0,
            0,
            sums.segment().address(),
            sums.segment().address() + 4 * queries)
        .weights(bf16);
    results.put(bf16 ? "totals of BF16" : "totals of F32", bits(sums));
  }

  private static String bits(Tensor t) {
    float[] values = t.toFloats();
    var bits = new int[values.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
    return Integer.toHexString(Arrays.hashCode(bits));
  }

  private static Tensor random(Arena arena, Random random, long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }

  /// A weight of any bytes with half of all exponents, so that no scale is infinite.
  private static Tensor randomBytes(Arena arena, Random random, DType type) {
    var t = Tensor.allocate(arena, type, N, K);
    for (long i = 0; i < t.byteSize(); i++) {
      t.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt() & 0xBF));
    }
    return t;
  }
}
