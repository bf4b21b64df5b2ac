package io.gatun.tests.tensor;

import io.gatun.tensor.DType;
import io.gatun.tensor.DType.Block;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.kernel.dense.CausalConvolution;
import io.gatun.tensor.kernel.dense.GroupSoftmax;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.kernel.dense.Int8Rows;
import io.gatun.tensor.kernel.dense.ReadKernel;
import io.gatun.tensor.kernel.dense.SmallProducts;
import io.gatun.tensor.kernel.dense.StateScan;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.kernel.dense.VectorKernels;
import io.gatun.tensor.kernel.dense.VectorNetworkKernels;
import io.gatun.tensor.kernel.ggml.BlockDots;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scaled.ByteDots;
import io.gatun.tensor.kernel.scaled.CodeDots;
import io.gatun.tensor.kernel.scaled.GroupOffsets;
import io.gatun.tensor.kernel.tiled.QuantizedRows;
import io.gatun.tensor.kernel.tiled.TiledPanels;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import io.gatun.tensor.kernel.tiled.TiledRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;

/// Calls of the vector kernels, each with two sizes: one of whole vectors, and another one, which
/// also leaves a rest where a kernel allows it.
final class KernelCases {
  private static final long BYTES = 4 << 20;

  private static final List<Tiled> TILED =
      List.of(
          new Tiled(4, 32),
          Tiled.of(Tiled.Form.MINIMA),
          Tiled.of(Tiled.Form.IQ2),
          new Tiled(8, 32));

  private final Map<String, Runnable> cases = new LinkedHashMap<>();
  private final Arena arena;
  private final MemorySegment x;
  private final MemorySegment y;
  private final MemorySegment out;

  /// Small positive numbers as whatever type they are read.
  private final MemorySegment stored;

  private KernelCases(Arena arena) {
    this.arena = arena;
    x = floats(arena);
    y = floats(arena);
    out = arena.allocate(BYTES, 64);
    stored = arena.allocate(BYTES, 64);
    var random = new SplittableRandom(1);
    for (long i = 0; i < BYTES; i++) {
      stored.set(ValueLayout.JAVA_BYTE, i, (byte) (0x21 + random.nextInt(4)));
    }
  }

  private static MemorySegment floats(Arena arena) {
    var memory = arena.allocate(BYTES, 64);
    var random = new SplittableRandom(2);
    for (long i = 0; i < BYTES / 4; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(0.1, 0.9));
    }
    return memory;
  }

  static Map<String, Runnable> all(Arena arena) {
    var kernels = new KernelCases(arena);
    kernels.rows();
    kernels.networks();
    kernels.dense();
    kernels.attention();
    kernels.stored();
    kernels.tiled();
    return kernels.cases;
  }

  /// A kernel of rows of `n` numbers.
  private void put(String name, IntConsumer kernel) {
    put(name, 1024, 1536, kernel);
  }

  private void put(String name, int first, int second, IntConsumer kernel) {
    Runnable both =
        () -> {
          kernel.accept(first);
          kernel.accept(second);
        };
    if (cases.put(name, both) != null) {
      throw new IllegalArgumentException("two cases named " + name);
    }
  }

  private void rows() {
    var k = new VectorKernels();
    put("rmsNorm", n -> k.rmsNorm(x, 0, y, 0, 1e-5f, n, out, 0));
    put("add", n -> k.add(x, 0, y, 0, n, out, 0));
    put("mul", n -> k.mul(x, 0, y, 0, n, out, 0));
    put("scale", n -> k.scale(x, 0, 0.5f, n, out, 0));
    put("addScaled", n -> k.addScaled(x, 0, 0.5f, n, out, 0));
    put("siluMul", n -> k.siluMul(x, 0, y, 0, n, out, 0));
    put("sigmoidMul", n -> k.sigmoidMul(x, 0, y, 0, n, out, 0));
    put("softcap", n -> k.softcap(x, 0, 30, n, out, 0));
    put("rope", 128, 64, n -> k.rope(out, 0, x, y, 0, n, false));
    put("rope of pairs", 128, 64, n -> k.rope(out, 0, x, y, 0, n, true));
    put("expSum", n -> k.expSum(out, 0, 1, n));
    put("max", n -> k.max(x, 0, n));
    put("quantize", n -> k.quantize(x, 0, n, 128, out, 0));
    put("dot", n -> k.dot(x, 0, y, 0, n));
    put("gemm", 64, 96, n -> k.gemm(x, 0, 40, y, 0, 96, out, 0, 96, 8, n, 40, n == 64));
  }

  private void networks() {
    var k = new VectorNetworkKernels();
    put("layerNorm", n -> k.layerNorm(x, 0, y, x, 1e-5f, n, out, 0));
    put("addMoments", n -> k.addMoments(x, 0, 4, y, 0, n, out, 0));
    put("scaleShift", n -> k.scaleShift(x, 0, y, 0, n, out, 0));
    put("relu", n -> k.relu(x, 0, n, out, 0));
    put("swish", n -> k.swish(x, 0, 1, n, out, 0));
    put("gelu", n -> k.gelu(x, 0, n, out, 0));
    put("geluTanh", n -> k.geluTanh(x, 0, n, out, 0));
    put("geglu", n -> k.geglu(x, 0, y, 0, n, out, 0));
  }

  private void dense() {
    for (var type : List.of(Plain.F16, Plain.BF16, Plain.I8)) {
      put(
          "StoredProduct " + type,
          128,
          96,
          n ->
              StoredProduct.multiply(
                  type, x, 0, 64, stored, 0, 256, out, 0, 256, 8, n, 64, n == 128));
    }
    put(
        "SmallProducts.multiply",
        64,
        96,
        n ->
            SmallProducts.multiply(
                x.address(), 256, y.address(), 1 << 14, 256, 64, out.address(), 512, 9, n, n < 70));
    for (boolean bf16 : new boolean[] {false, true}) {
      put(
          "SmallProducts.copy " + bf16,
          64,
          96,
          n -> SmallProducts.copy(stored.address(), 512, bf16, 9, n, out.address(), 512));
    }
    for (boolean corrects : new boolean[] {false, true}) {
      var wide = new StateScan(0, 64, 128, 256, 64, 128, corrects);
      var narrow = new StateScan(0, 64, 128, 256, 64, 64, corrects);
      put(
          "StateScan " + corrects,
          128,
          64,
          n -> (n == 128 ? wide : narrow).run(true, x, 0, y, 0, out, 0, out, 1 << 20, n, 3));
    }
    put(
        "CausalConvolution",
        n -> CausalConvolution.rows(true, x, 0, n, y, 0, n, 4, null, 0, n, out, 0, n, 3));
    put("ReadKernel", 4096, 8192, n -> ReadKernel.xor(x, 0, n));
    put("Int8Rows.sum", 1024, 2816, n -> Int8Rows.sum(stored, 0, n));
    var products = new Int8Products(out, 128, x, x, stored, y, 9);
    put("Int8Products.toFloats", 64, 128, n -> products.toFloats(n, y, 0, 512));
    put("Int8Products.toBf16", n -> products.toBf16(stored, 0, 256, y, 0, 256));
  }

  private void attention() {
    put(
        "GroupSoftmax",
        64,
        96,
        n -> {
          int size = n == 64 ? GroupSoftmax.SHORT : GroupSoftmax.LONG;
          GroupSoftmax.bf16(x.address(), out.address(), n, size, 0.5f, y.address());
        });
    for (boolean grid : new boolean[] {false, true}) {
      var narrow = scores(64, grid);
      var wide = scores(96, grid);
      for (boolean bf16 : new boolean[] {false, true}) {
        put(
            "AttentionScores " + grid + " " + bf16,
            64,
            96,
            n -> {
              var scores = n == 64 ? narrow : wide;
              scores.begin();
              scores.sample();
              scores.greatest();
              scores.weights(bf16);
            });
      }
    }
  }

  /// Eight rows of products with so many keys, of a grid of eight lines of 16, or of none.
  private AttentionScores scores(int keys, boolean grid) {
    long at = out.address();
    long positions = grid ? x.address() : 0;
    long reference = at + (1 << 16);
    return new AttentionScores(
        at + AttentionScores.GAP,
        4L * 112,
        8,
        1,
        60,
        keys,
        0,
        70,
        20,
        0.5f,
        positions,
        4L * 64,
        8,
        16,
        reference,
        reference + 64);
  }

  private void stored() {
    var blocks =
        List.of(
            Block.Q4_0,
            Block.Q4_1,
            Block.Q5_0,
            Block.Q5_1,
            Block.Q8_0,
            Block.Q4_K,
            Block.Q5_K,
            Block.Q6_K,
            Block.MXFP4);
    for (DType type : List.of(Plain.F16, Plain.BF16, Plain.I8)) {
      put("Unpack " + type.name(), n -> Unpack.toFloat(type, stored, 0, out, 0, n));
    }
    for (DType type : blocks) {
      put("Unpack " + type.name(), 1024, 2816, n -> Unpack.toFloat(type, stored, 0, out, 0, n));
    }
    for (DType type : List.of(Plain.F32, Plain.F16)) {
      put("to BF16 " + type.name(), n -> Unpack.toBf16(type, x, 0, out, 0, n));
    }
    put("floatToF16", n -> Unpack.floatToF16(x, 0, out, 0, n));
    var dots = new ArrayList<DType>(blocks);
    dots.remove(Block.MXFP4);
    dots.addAll(List.of(Plain.F16, Plain.BF16, Block.IQ4_NL, Block.IQ4_XS));
    dots.removeIf(type -> !RowDots.supports(type, 256));
    for (DType type : dots) {
      put(
          "RowDots " + type.name(),
          1024,
          2816,
          n -> RowDots.multiply(type, stored, 0, n, x, 0, 0, 8, out, 0));
    }
    for (var type : List.of(Block.MXFP4, Block.MXFP4_PAIRS)) {
      put(
          "Mxfp4 " + type.name(),
          1024,
          2816,
          n -> Mxfp4.multiply(type, stored, stored, n, x, 0, 0, 8, out, 0));
    }
    var inBytes =
        List.of(
            Block.Q4_0,
            Block.Q4_1,
            Block.Q5_0,
            Block.Q5_1,
            Block.Q8_0,
            Block.Q2_K,
            Block.Q4_K,
            Block.Q5_K,
            Block.Q6_K,
            Block.IQ4_NL,
            Block.IQ4_XS,
            Block.IQ1_S,
            Block.IQ1_M,
            Block.IQ2_XXS,
            Block.IQ2_XS,
            Block.IQ2_S,
            Block.IQ3_XXS,
            Block.IQ3_S,
            Block.TQ1_0,
            Block.TQ2_0,
            Block.Q1_0,
            Block.Q2_0,
            Block.Q3_K);
    for (var type : inBytes) {
      put(
          "BlockDots " + type.name(),
          1024,
          2816,
          n -> BlockDots.multiply(type, stored, n, x, x, 5, 0, 8, y, 64, out, 0));
    }
    long scratch = y.address();
    for (var type : List.of(Block.IQ2_S, Block.Q2_K)) {
      put(
          "BlockDots.unpack " + type.name(),
          4,
          11,
          n -> BlockDots.unpack(type, stored.address(), n, out.address(), scratch));
    }
    for (var type : List.of(Plain.F8_E4M3, Plain.F8_E5M2, Plain.I8)) {
      put(
          "ByteDots " + type.name(),
          1024,
          2816,
          n -> ByteDots.multiply(type, stored, x, n, 128, x, 0, 0, 8, out, 0));
    }
    if (CodeDots.AVAILABLE) {
      put(
          "CodeDots nvfp4",
          1024,
          2944,
          n -> CodeDots.nvfp4(stored, stored, 1, n, x, 0, 0, 8, out, 0));
      put("CodeDots mxfp4", 1024, 2880, n -> CodeDots.mxfp4(stored, stored, n, x, 0, 0, 8, out, 0));
      put(
          "CodeDots codes",
          1024,
          2816,
          n -> CodeDots.codes(stored, x, y, n, 64, x, 0, 0, 8, out, 0));
    }
    put("GroupOffsets", 1024, 1037, n -> GroupOffsets.add(x, n, y, 0, 16, 0, n, out, 0));
    put("Mxfp4 pairs", 8, 23, n -> Mxfp4.pairsToFloat(stored, stored, 0, n, out, 0));
  }

  private void tiled() {
    for (int bits : new int[] {4, 8}) {
      put(
          "QuantizedRows " + bits,
          1024,
          2816,
          n -> QuantizedRows.quantize(x, 0, out, 0, 1, n, bits));
    }
    for (var type : TILED) {
      if (!TiledProduct.supports(type)) {
        continue;
      }
      put(
          "TiledRows " + type.name(),
          1024,
          2816,
          n -> TiledRows.toFloat(type, stored, n, 0, 3, out, 0));
      put("TiledPanels " + type.name(), 1024, 2816, n -> panels(type, n));
      for (int rows : new int[] {1, 2, 4}) {
        var narrow = product(type, rows, 1024);
        var wide = product(type, rows, 2816);
        put(
            type.name() + " x " + rows,
            1024,
            2816,
            n -> (n == 1024 ? narrow : wide).multiply(0, 2, out, 0));
      }
    }
  }

  private void panels(Tiled type, int columns) {
    TiledPanels.unpack(type, stored, 0, columns, out, 0, 64, 64, 3 << 20, (3 << 20) + 256);
  }

  private TiledProduct product(Tiled type, int rows, int columns) {
    var q = arena.allocate(rows * QuantizedRows.rowBytes(columns), 64);
    for (int m = 0; m < rows; m++) {
      QuantizedRows.quantize(x, 0, q, m, rows, columns, TiledProduct.activationBits(type));
    }
    return new TiledProduct(type, stored, 0, 64, columns, q, rows, y, 0, 256);
  }
}
