package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.Quantization;
import io.gatun.tensor.ops.RelativePositions;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Transposed, sliced and repeated views are to every public operation what their copies without
/// gaps are, or are refused.
class ViewsTest {
  private static final int SIZE = 32;

  private final Random random = new Random(3);
  private final Set<String> covered = new HashSet<>();

  /// An operation on a tensor of some shape.
  private interface Operation extends Function<Tensor, Tensor> {}

  @ParameterizedTest
  @EnumSource(Backend.class)
  void operations(Backend backend) {
    for (var precision : Precision.values()) {
      try (var arena = Arena.ofShared();
          var ops = new Ops(backend, 2, precision);
          var cache = Cached.of(2, SIZE / 2, DType.Plain.F32, 64)) {
        var x = tensor(arena, DType.Plain.F32, 20, SIZE);
        var one = x.slice(0, 0, 1);
        var w = tensor(arena, DType.Plain.F32, SIZE, SIZE);
        var row = w.get(0);
        var heads = tensor(arena, DType.Plain.F32, 20, 2, SIZE / 2);
        cache.put(ops, 0, heads, heads);
        for (var type : List.of(DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16)) {
          long[] matrix = {SIZE, SIZE};
          same(arena, "linear", type, matrix, v -> ops.linear(x, v));
          same(arena, "linear", type, matrix, v -> ops.linear(one, v, row));
          same(arena, "linears", type, matrix, v -> ops.linears(x, w, v)[1]);
          same(arena, "linears", type, matrix, v -> ops.linears(ops.activations(one), v)[0]);
          same(arena, "gatedLinear", type, matrix, v -> gated(ops, x, v, w));
          same(arena, "gatedLinear", type, matrix, v -> gated(ops, one, w, v));
          same(arena, "embedding", type, matrix, v -> ops.embedding(new int[] {3, 31, 0}, v));
          same(arena, "toF32", type, matrix, v -> Ops.toF32(v, arena));
          long[] matrices = {2, SIZE / 2, SIZE / 2};
          for (boolean transposed : new boolean[] {false, true}) {
            same(
                arena,
                "headProducts",
                type,
                matrices,
                v -> {
                  return headProducts(arena, ops, heads, v, transposed);
                });
          }
        }
        var squares = tensor(arena, DType.Plain.F32, 2, SIZE / 2, SIZE / 2);
        same(
            arena,
            "headProducts",
            DType.Plain.F32,
            new long[] {20, 2, SIZE / 2},
            v -> {
              return headProducts(arena, ops, v, squares, false);
            });
        same(
            arena,
            "linear",
            DType.Block.Q8_0,
            new long[] {2, SIZE, SIZE},
            v -> {
              return ops.linear(x, v.get(1));
            });
        same(
            arena,
            "embedding",
            DType.Block.Q8_0,
            new long[] {2, SIZE, SIZE},
            v -> {
              return ops.embedding(new int[] {3, 31}, v.get(1));
            });
        same(
            arena, "toF32", DType.Block.Q8_0, new long[] {2, SIZE, SIZE}, v -> Ops.toF32(v, arena));
        long[] f32 = {SIZE, SIZE};
        long[] halves = {2, SIZE / 2};
        refused(arena, "linear", f32, v -> ops.linear(v, w));
        refused(arena, "addBias", f32, v -> done(x, () -> ops.addBias(v, row)));
        refused(arena, "addBias", halves, v -> done(x, () -> ops.addBias(w, v)));
        refused(arena, "gatherRows", f32, v -> ops.gatherRows(v, new int[] {1}));
        refused(arena, "activations", f32, v -> ops.activations(v).tensor());
        refused(arena, "normed", f32, v -> ops.normed(v, row, 1e-5f).tensor());
        refused(arena, "normed", halves, v -> ops.normed(w, v, 1e-5f).tensor());
        refused(arena, "rmsNorm", f32, v -> ops.rmsNorm(v, row, 1e-5f));
        refused(arena, "rmsNorm", f32, v -> ops.rmsNorm(w, v, 1e-5f));
        refused(arena, "addInPlace", f32, v -> done(x, () -> ops.addInPlace(v, w)));
        refused(arena, "addInPlace", f32, v -> done(x, () -> ops.addInPlace(w, v)));
        refused(arena, "mulInPlace", f32, v -> done(x, () -> ops.mulInPlace(v, w)));
        refused(arena, "mulInPlace", f32, v -> done(x, () -> ops.mulInPlace(w, v)));
        refused(arena, "siluMulInPlace", f32, v -> done(x, () -> ops.siluMulInPlace(v, w)));
        refused(arena, "siluMulInPlace", f32, v -> done(x, () -> ops.siluMulInPlace(w, v)));
        refused(arena, "sigmoidMulInPlace", f32, v -> done(x, () -> ops.sigmoidMulInPlace(v, w)));
        refused(arena, "sigmoidMulInPlace", f32, v -> done(x, () -> ops.sigmoidMulInPlace(w, v)));
        refused(arena, "softcap", f32, v -> done(x, () -> ops.softcap(v, 2)));
        refused(arena, "addScaledRow", f32, v -> done(x, () -> ops.addScaledRow(v, 1, one, 2)));
        refused(arena, "softmax", f32, v -> done(x, () -> ops.softmax(v)));
        refused(arena, "logSoftmax", f32, v -> done(x, () -> ops.logSoftmax(v, new int[SIZE])));
        refused(arena, "argmax", f32, v -> done(x, () -> ops.argmax(v, 1)));
        var table = tensor(arena, DType.Plain.F32, 20, SIZE / 2);
        long[] three = {20, 2, SIZE / 2};
        long[] tables = {20, SIZE / 2};
        refused(arena, "rope", three, v -> done(x, () -> ops.rope(v, table, table, true)));
        refused(arena, "rope", tables, v -> done(x, () -> ops.rope(heads, v, table, true)));
        refused(arena, "rope", tables, v -> done(x, () -> ops.rope(heads, table, v, true)));
        refused(
            arena, "attention", three, v -> cache.attention(ops, v, 0, new AttentionSpec(1, 0)));
        refused(arena, "put", three, v -> done(x, () -> cache.put(ops, 0, v, heads)));
        refused(arena, "put", three, v -> done(x, () -> cache.put(ops, 0, heads, v)));
      }
    }
    assertEquals(Set.of(), missing(Ops.class));
  }

  @ParameterizedTest
  @EnumSource(Backend.class)
  void networks(Backend backend) {
    for (var type : List.of(DType.Plain.F32, DType.Plain.BF16)) {
      try (var arena = Arena.ofShared();
          var ops = new Ops(backend, 2)) {
        var f = new Functional(ops, type);
        var x = tensor(arena, type, 2, 20, SIZE);
        var image = tensor(arena, type, 2, 4, 6, SIZE);
        var other = tensor(arena, type, SIZE, SIZE);
        var w = LinearWeight.of(other, null);
        var row = other.get(0);
        long[] matrix = {SIZE, SIZE};
        long[] sequence = {2, 20, SIZE};
        long[] vectors = {SIZE, 8};
        long[] pixels = {2, 4, 6, SIZE};
        long[] kernel = {SIZE, SIZE, 3, 3};
        long[] small = {SIZE, SIZE, 2, 2};
        // Weights, norms and biases are copied.
        for (var any : List.of(DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16)) {
          same(arena, "linear", any, matrix, v -> f.linear(x, LinearWeight.of(v, null)));
          same(arena, "linear", any, vectors, v -> f.linear(x, LinearWeight.of(other, column(v))));
          same(arena, "linear", any, matrix, v -> f.linear(x, int8(v, Quantization.INT8)));
          same(arena, "linear", any, matrix, v -> f.linear(x, int8(v, Quantization.INT8_DYNAMIC)));
          same(arena, "linearGeglu", any, matrix, v -> f.linearGeglu(x, LinearWeight.of(v, null)));
          same(arena, "conv2d", any, kernel, v -> f.conv2d(image, ConvWeight.same(v, null)));
          long[] each = {SIZE, 1, 3, 3};
          same(arena, "depthwiseConv2d", any, each, v -> depthwise(f, image, v));
          same(arena, "conv2d", any, small, v -> f.conv2d(image, patches(v)));
          same(arena, "embedding", any, matrix, v -> f.embedding(new int[] {3, 31}, v));
          same(arena, "layerNorm", any, vectors, v -> f.layerNorm(x, column(v), row, 1e-5f));
          same(arena, "layerNorm", any, vectors, v -> f.layerNorm(x, row, column(v), 1e-5f));
          same(
              arena,
              "groupNorm",
              any,
              vectors,
              v -> {
                return f.groupNorm(x, 8, column(v), column(v), 1e-5f, Activation.NONE);
              });
          same(arena, "cast", any, sequence, f::cast);
          same(arena, "toF32", any, sequence, f::toF32);
        }
        // Rows may lie apart.
        either(arena, "linear", type, sequence, v -> f.linear(v, w));
        either(arena, "linearGeglu", type, sequence, v -> f.linearGeglu(v, w));
        either(arena, "addLinear", type, sequence, v -> added(f, x, v, w));
        either(arena, "attention", type, sequence, v -> attention(f, v, x, x));
        either(arena, "attention", type, sequence, v -> attention(f, x, v, x));
        either(arena, "attention", type, sequence, v -> attention(f, x, x, v));
        either(arena, "concat", type, sequence, v -> f.concat(x, v));
        // The rest wants activations as operations give them.
        refused(arena, type, "addLinear", sequence, v -> added(f, v, x, w));
        refused(arena, type, "linear", sequence, v -> f.linear(x, w, Epilogue.add(v)));
        refused(
            arena,
            type,
            "linear",
            new long[] {2, SIZE},
            v -> {
              return f.linear(x, w, Epilogue.addColumns(v));
            });
        refused(arena, type, "matmulTransposed", sequence, v -> f.matmulTransposed(v, x));
        refused(arena, type, "matmulTransposed", sequence, v -> f.matmulTransposed(x, v));
        var same = ConvWeight.same(tensorOf(arena, kernel), null);
        refused(arena, type, "conv2d", pixels, v -> f.conv2d(v, same));
        refused(arena, type, "conv2d", pixels, v -> f.conv2d(image, same, Epilogue.add(v)));
        refused(arena, type, "addConv2d", pixels, v -> done(x, () -> f.addConv2d(v, image, same)));
        refused(arena, type, "addConv2d", pixels, v -> done(x, () -> f.addConv2d(image, v, same)));
        refused(arena, type, "layerNorm", sequence, v -> f.layerNorm(v, row, row, 1e-5f));
        refused(
            arena,
            type,
            "groupNorm",
            sequence,
            v -> {
              return f.groupNorm(v, 8, row, row, 1e-5f, Activation.NONE);
            });
        refused(arena, type, "activate", sequence, v -> f.activate(v, Activation.GELU));
        refused(arena, type, "geglu", sequence, f::geglu);
        refused(arena, type, "add", sequence, v -> f.add(v, x));
        refused(arena, type, "add", sequence, v -> f.add(x, v));
        refused(arena, type, "mul", sequence, v -> f.mul(v, x));
        refused(arena, type, "mul", sequence, v -> f.mul(x, v));
        refused(arena, type, "scale", sequence, v -> f.scale(v, 2));
        refused(arena, type, "windowPartition", pixels, v -> f.windowPartition(v, 4, null));
        refused(
            arena,
            type,
            "windowPartition",
            new long[] {2, SIZE / 2},
            v -> f.windowPartition(image, 4, v));
        refused(
            arena,
            type,
            "windowUnpartition",
            new long[] {2, 16, SIZE},
            v -> {
              return f.windowUnpartition(v, 4, 1, 4, 8);
            });
        refused(arena, type, "upsampleNearest2x", pixels, f::upsampleNearest2x);
        refused(arena, type, "maxPool2x2", pixels, f::maxPool2x2);
        var each = ConvWeight.same(tensorOf(arena, SIZE, 1, 3, 3), null);
        refused(arena, type, "depthwiseConv2d", pixels, v -> f.depthwiseConv2d(v, each));
        refused(arena, type, "resizeBilinear", pixels, v -> f.resizeBilinear(v, 3, 3));
        var positions = new long[] {2 * 4 - 1, 8};
        var width = tensor(arena, DType.Plain.F32, 2 * 5 - 1, 8);
        refused(
            arena,
            DType.Plain.F32,
            "attention",
            positions,
            v -> {
              return f.attention(
                  x, x, x, 4, AttentionSpec.full(1).on(new RelativePositions(v, width, 4, 5)));
            });
      }
    }
    assertEquals(Set.of(), missing(Functional.class));
  }

  private static Tensor headProducts(Arena arena, Ops ops, Tensor x, Tensor w, boolean transposed) {
    var out = Tensor.allocate(arena, DType.Plain.F32, x.shape().dims());
    ops.headProducts(x, w, transposed, out);
    return out;
  }

  /// Other views of tiles would be other numbers.
  @Test
  void tiledTensorsHaveNoViewsButWholeTilesOfRows() {
    try (var arena = Arena.ofShared();
        var ops = new Ops(Backend.VECTOR, 1)) {
      var t = converted(arena, ops, tensor(arena, DType.Plain.F32, 72, 64), new DType.Tiled(4, 32));
      float[] all = t.toFloats();
      assertArrayEquals(Arrays.copyOfRange(all, 32 * 64, 72 * 64), t.slice(0, 32, 72).toFloats());
      assertArrayEquals(Arrays.copyOf(all, 64 * 64), t.slice(0, 0, 64).toFloats());
      assertThrows(IllegalArgumentException.class, () -> t.slice(0, 16, 64));
      assertThrows(IllegalArgumentException.class, () -> t.slice(0, 0, 40));
      assertThrows(IllegalArgumentException.class, () -> t.slice(1, 0, 32));
      assertThrows(IllegalArgumentException.class, () -> t.reshape(36, 128));
      assertThrows(IllegalArgumentException.class, () -> t.reshape(2, 36, 64));
      assertThrows(IllegalArgumentException.class, () -> t.get(0));
      assertThrows(IllegalArgumentException.class, () -> t.transpose(0, 1));
      assertEquals(t.shape(), t.reshape(72, 64).shape());
    }
  }

  @Test
  void tiledWeightsBecomeFloats() {
    try (var arena = Arena.ofShared();
        var ops = new Ops(Backend.VECTOR, 1)) {
      var floats = tensor(arena, DType.Plain.F32, 64, 64);
      for (var type : List.of(new DType.Tiled(4, 32), new DType.Tiled(8, 64))) {
        var tiled = converted(arena, ops, floats, type);
        assertArrayEquals(tiled.toFloats(), Ops.toF32(tiled, arena).toFloats());
      }
    }
  }

  @Test
  void blocksAreNotSplit() {
    try (var arena = Arena.ofShared()) {
      var t = Tensor.allocate(arena, DType.Block.Q8_0, 4, 64);
      assertEquals("(8, 32)", t.reshape(8, 32).shape().toString());
      assertThrows(IllegalArgumentException.class, () -> t.reshape(16, 16));
      assertThrows(IllegalArgumentException.class, () -> t.get(0).get(0));
    }
  }

  /// An empty slice at the end of a view with gaps begins where its memory has ended.
  @Test
  void emptySlices() {
    try (var arena = Arena.ofShared()) {
      var t = tensor(arena, DType.Plain.F32, 4, 8).slice(1, 0, 3);
      assertEquals(0, t.slice(0, 4, 4).size());
      assertEquals(0, t.slice(1, 3, 3).copy(arena).size());
      assertThrows(IndexOutOfBoundsException.class, () -> t.slice(2, 0, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> t.transpose(0, 5));
      assertThrows(IndexOutOfBoundsException.class, () -> t.get(4));
    }
  }

  @Test
  void writersAndConversions(@TempDir Path folder) {
    try (var arena = Arena.ofShared();
        var ops = new Ops(Backend.VECTOR, 2)) {
      long[] shape = {SIZE, 64};
      refused(arena, "convert", shape, v -> converted(arena, ops, v, DType.Block.Q8_0));
      refused(arena, "convert", shape, v -> converted(arena, ops, v, new DType.Tiled(4, 32)));
      refused(
          arena,
          "gguf",
          shape,
          v -> {
            new GgufWriter().add("t", v).write(folder.resolve("t.gguf"));
            return v;
          });
      refused(
          arena,
          "safetensors",
          shape,
          v -> {
            var file = folder.resolve("t.safetensors");
            new SafetensorsWriter().add("t", v).write(file);
            try (var checkpoint = Checkpoint.open(file)) {
              return checkpoint.tensor("t").copy(arena);
            }
          });
    }
  }

  private Tensor attention(Functional f, Tensor q, Tensor k, Tensor v) {
    return f.attention(q, k, v, 4, AttentionSpec.full(0.2f));
  }

  private static Tensor added(Functional f, Tensor y, Tensor x, LinearWeight w) {
    var sum = y.isContiguous() ? y.copy(Arena.ofAuto()) : y;
    f.addLinear(sum, x, w);
    return sum;
  }

  private static LinearWeight int8(Tensor w, Quantization quantization) {
    return LinearWeight.of(w, null).quantized(quantization);
  }

  private static Tensor depthwise(Functional f, Tensor x, Tensor w) {
    return f.depthwiseConv2d(x, ConvWeight.same(w, null));
  }

  private static ConvWeight patches(Tensor w) {
    return ConvWeight.of(w, null, 2, ConvWeight.Padding.of(0));
  }

  /// A vector, of which the elements lie apart where they did in the matrix's columns.
  private static Tensor column(Tensor matrix) {
    return matrix.transpose(0, 1).get(0);
  }

  private static Activations act(Ops ops, Tensor x) {
    return ops.activations(x);
  }

  private static Tensor gated(Ops ops, Tensor x, Tensor gate, Tensor up) {
    return ops.gatedLinears(List.of(act(ops, x)), List.of(gate), List.of(up))[0];
  }

  private static Tensor done(Tensor result, Runnable operation) {
    operation.run();
    return result;
  }

  private static Tensor converted(Arena arena, Ops ops, Tensor from, DType type) {
    var bytes = new ByteArrayOutputStream();
    Packing.convert(
        ops.workers(), from, type, part -> bytes.writeBytes(part.toArray(ValueLayout.JAVA_BYTE)));
    var t = Tensor.allocate(arena, type, from.shape().dims());
    t.segment().copyFrom(MemorySegment.ofArray(bytes.toByteArray()));
    return t;
  }

  /// Views give what their copies give.
  private void same(Arena arena, String name, DType type, long[] shape, Operation operation) {
    covered.add(name);
    for (var view : views(arena, type, shape)) {
      assertArrayEquals(
          operation.apply(view.copy(arena)).toFloats(),
          operation.apply(view).toFloats(),
          name + " " + type.name() + " " + view.shape());
    }
  }

  private void refused(Arena arena, String name, long[] shape, Operation operation) {
    refused(arena, DType.Plain.F32, name, shape, operation);
  }

  private void refused(Arena arena, DType type, String name, long[] shape, Operation operation) {
    covered.add(name);
    var _ = operation.apply(tensor(arena, type, shape));
    for (var view : views(arena, type, shape)) {
      var e = assertThrows(IllegalArgumentException.class, () -> operation.apply(view), name);
      assertTrue(e.getMessage().contains("gaps"), name + ": " + e.getMessage());
    }
  }

  /// Views give what their copies give, or are refused.
  private void either(Arena arena, String name, DType type, long[] shape, Operation operation) {
    covered.add(name);
    int computed = 0;
    for (var view : views(arena, type, shape)) {
      float[] expected = operation.apply(view.copy(arena)).toFloats();
      try {
        assertArrayEquals(expected, operation.apply(view).toFloats(), name);
        computed++;
      } catch (IllegalArgumentException e) {
        assertTrue(e.getMessage().contains("gaps"), name + ": " + e.getMessage());
      }
    }
    assertTrue(computed > 0, name);
  }

  /// A transposed, a sliced and a repeated view; of blocks those that there are.
  private List<Tensor> views(Arena arena, DType type, long... shape) {
    int rank = shape.length;
    int a = rank - (type.blockSize() > 1 ? 3 : 2);
    var views = new ArrayList<Tensor>();
    long[] exchanged = shape.clone();
    exchanged[a] = shape[a + 1];
    exchanged[a + 1] = shape[a];
    views.add(tensor(arena, type, exchanged).transpose(a, a + 1));
    for (int d = type.blockSize() > 1 ? rank - 2 : rank - 1; d > 0; d--) {
      long[] longer = shape.clone();
      longer[d] += 5;
      views.add(tensor(arena, type, longer).slice(d, 3, 3 + shape[d]));
    }
    if (type.blockSize() == 1) {
      var strides = new long[rank];
      strides[rank - 1] = 1;
      views.add(
          Tensor.strided(
              tensor(arena, type, shape).segment(), type, views.get(0).shape(), strides));
    }
    for (var view : views) {
      assertFalse(view.isContiguous());
      assertArrayEquals(shape, view.shape().dims());
    }
    return views;
  }

  private Tensor tensorOf(Arena arena, long... shape) {
    return tensor(arena, DType.Plain.F32, shape);
  }

  /// Small numbers of a plain type or Q8_0; always the same ones for a shape.
  private Tensor tensor(Arena arena, DType type, long... shape) {
    random.setSeed(Arrays.hashCode(shape));
    var t = Tensor.allocate(arena, type, shape);
    for (long i = 0; i < t.size() && type instanceof DType.Plain plain; i++) {
      float value = random.nextInt(-64, 64) / 64f;
      switch (plain) {
        case F32 -> t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        case F16 -> t.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
        default ->
            t.segment()
                .setAtIndex(
                    ValueLayout.JAVA_SHORT, i, (short) (Float.floatToIntBits(value) >>> 16));
      }
    }
    for (long i = 0; i < t.byteSize() && type instanceof DType.Block; i++) {
      t.segment().set(ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt() & 0x2F));
    }
    return t;
  }

  /// The public methods that take tensors and were not tried.
  private Set<String> missing(Class<?> type) {
    var names = new HashSet<String>();
    for (var method : type.getDeclaredMethods()) {
      boolean takesTensors =
          Arrays.stream(method.getParameterTypes())
              .anyMatch(p -> p == Tensor.class || p == Tensor[].class);
      if (Modifier.isPublic(method.getModifiers()) && takesTensors) {
        names.add(method.getName());
      }
    }
    names.removeAll(covered);
    return names;
  }
}
