package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.Quantization;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Results are the same to the last bit whatever the number of threads, for every number of tokens.
class ThreadsTest {
  private static final int TOKENS = 64;
  private static final int K = 256;

  /// Several blocks of rows, the last of which is not whole.
  private static final int N = 300;

  private static final List<Integer> THREADS = List.of(1, 2, 3);

  @ParameterizedTest
  @EnumSource(Precision.class)
  void products(Precision precision) {
    try (var arena = Arena.ofShared()) {
      var random = new Random(11);
      var x = random(arena, random, TOKENS, K);
      var weights = weights(arena, random);
      var norm = random(arena, random, K);
      for (var backend : List.of(Backend.VECTOR, Backend.NATIVE)) {
        compare(
            threads -> {
              var results = new LinkedHashMap<String, float[]>();
              try (var ops = new Ops(backend, threads, precision)) {
                for (int t = 1; t <= TOKENS; t += backend == Backend.NATIVE ? 1 : 7) {
                  var rows = x.slice(0, 0, t);
                  for (var w : weights.entrySet()) {
                    try (var _ = ops.scope()) {
                      String name = backend + " " + w.getKey() + " x " + t;
                      results.put(name, ops.linear(rows, w.getValue()).toFloats());
                    }
                  }
                  try (var _ = ops.scope()) {
                    var tiled = weights.get("INT4_G32");
                    var normed = ops.normed(rows, norm, 1e-5f);
                    var gated =
                        ops.gatedLinears(List.of(normed), List.of(tiled), List.of(tiled))[0];
                    results.put(backend + " gated x " + t, gated.toFloats());
                    results.put(backend + " rmsNorm " + t, normed.tensor().toFloats());
                  }
                }
              }
              return results;
            });
      }
    }
  }

  @Test
  void cachedAttention() {
    try (var arena = Arena.ofShared()) {
      var random = new Random(12);
      var history = random(arena, random, 300, 2, 64);
      var q = random(arena, random, TOKENS, 8, 64);
      for (var type : List.of(DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16, DType.Plain.I8)) {
        compare(
            threads -> {
              var results = new LinkedHashMap<String, float[]>();
              try (var ops = new Ops(Backend.NATIVE, threads, Precision.FAST);
                  var cache = Cached.of(2, 64, type, 300)) {
                cache.put(ops, 0, history, history);
                for (int t = 1; t <= TOKENS; t++) {
                  try (var _ = ops.scope()) {
                    var y =
                        cache.attention(ops, q.slice(0, 0, t), 300 - t, new AttentionSpec(0.1f, 0));
                    results.put(type + " " + t, y.toFloats());
                  }
                }
              }
              return results;
            });
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.Plain.class,
      names = {"F32", "BF16"})
  void networks(DType.Plain dtype) {
    try (var arena = Arena.ofShared()) {
      var random = new Random(13);
      var floats = random(arena, random, 10 * TOKENS, K);
      var vector = random(arena, random, K);
      var matrix = random(arena, random, N, K);
      var kernels = random(arena, random, 200, 32, 3, 3);
      var image = random(arena, random, 2, 12, 13, 32);
      for (var backend : List.of(Backend.VECTOR, Backend.NATIVE)) {
        compare(
            threads -> {
              var results = new LinkedHashMap<String, float[]>();
              try (var ops = new Ops(backend, threads)) {
                var f = new Functional(ops, dtype);
                var linear = LinearWeight.of(matrix, null);
                var int8 =
                    LinearWeight.of(matrix.slice(0, 0, 288), null)
                        .quantized(Quantization.INT8_DYNAMIC);
                var conv = ConvWeight.same(kernels, null);
                for (int t : List.of(1, 2, 15, 16, 17, 24, 33, 64, 128, 300, 640)) {
                  try (var _ = f.scope()) {
                    var x = f.cast(floats.slice(0, 0, t));
                    var one = x.reshape(1, t, K);
                    var named = new LinkedHashMap<String, Tensor>();
                    named.put("linear", f.linear(x, linear));
                    named.put("int8", f.linear(x, int8));
                    named.put("geglu", f.linearGeglu(x, linear));
                    named.put("layerNorm", f.layerNorm(x, vector, vector, 1e-5f));
                    named.put(
                        "groupNorm", f.groupNorm(one, 8, vector, vector, 1e-5f, Activation.SILU));
                    named.put("attention", f.attention(one, one, one, 4, AttentionSpec.full(.1f)));
                    named.put("matmul", f.matmulTransposed(one, one));
                    int columns = t;
                    named.forEach(
                        (name, y) ->
                            results.put(backend + " " + name + " " + columns, y.toFloats()));
                  }
                }
                for (int size = 1; size <= 12; size += 3) {
                  try (var _ = f.scope()) {
                    var x = f.cast(image.slice(1, 0, size));
                    results.put(backend + " conv " + size, f.conv2d(x, conv).toFloats());
                  }
                }
              }
              return results;
            });
      }
    }
  }

  private static void compare(Function<Integer, Map<String, float[]>> run) {
    var expected = run.apply(THREADS.getFirst());
    for (int threads : THREADS.subList(1, THREADS.size())) {
      var found = run.apply(threads);
      var differing = new ArrayList<String>();
      expected.forEach(
          (name, values) -> {
            if (!Arrays.equals(bits(values), bits(found.get(name)))) {
              differing.add(name);
            }
          });
      assertEquals(List.of(), differing, "with 1 and " + threads + " threads");
    }
  }

  private static int[] bits(float[] values) {
    var bits = new int[values.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
    return bits;
  }

  /// A weight (N, K) of each kind that products tell apart.
  private static Map<String, Tensor> weights(Arena arena, Random random) {
    var floats = random(arena, random, N, K);
    var weights = new LinkedHashMap<String, Tensor>();
    weights.put("F32", floats);
    for (var type : new DType[] {DType.Plain.F16, DType.Plain.BF16, DType.Block.Q6_K}) {
      var t = Tensor.allocate(arena, type, N, K);
      for (long i = 0; i < t.byteSize(); i++) {
        // Half of all exponents, so that nothing is infinite.
        t.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt() & 0xBF));
      }
      weights.put(type.name(), t);
    }
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      for (var type :
          new DType[] {
            DType.Block.Q4_0,
            DType.Block.Q8_0,
            new DType.Tiled(4, 32),
            new DType.Tiled(4, 128),
            new DType.Tiled(8, 32)
          }) {
        var t = Tensor.allocate(arena, type, N, K);
        var rest = new long[1];
        Packing.convert(
            ops.workers(),
            floats,
            type,
            part -> {
              t.segment().asSlice(rest[0]).copyFrom(part);
              rest[0] += part.byteSize();
            });
        weights.put(type.name(), t);
      }
    }
    return weights;
  }

  private static Tensor random(Arena arena, Random random, long... dims) {
    var t = Tensor.allocate(arena, DType.Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }
}
