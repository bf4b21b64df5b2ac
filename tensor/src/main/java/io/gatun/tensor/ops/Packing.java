package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Quantize;
import io.gatun.tensor.kernel.tiled.TiledPack;
import io.gatun.tensor.ops.context.WeightRows;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;

/// Weights in another type: quantized, or repacked with the same values. Memory holds a slab of
/// rows at a time, whatever the matrix's size.
public final class Packing {
  /// The bytes of a slab, about.
  private static final long SLAB = 16L << 20;

  /// Rows that one worker handles at a time: those of a tile.
  private static final int ROWS = DType.Tiled.ROWS;

  private Packing() {}

  /// The tiled type that holds the values of `type` exactly, or null if there is none.
  public static DType.Tiled tiledForm(DType type) {
    return type instanceof DType.Block block ? TiledPack.tiledTypeOf(block) : null;
  }

  /// Gives the bytes of `w` (N, K) as type `to`, in pieces from first to last. Where `to` is the
  /// tiled form of the matrix's own type the values stay exactly what they are; otherwise they are
  /// quantized.
  ///
  /// @param to F32, tiled, or Q8_0, Q5_1, Q5_0, Q4_1 or Q4_0
  /// @param out takes a piece, whose memory is reused afterwards
  /// @throws IllegalArgumentException if `w` is no matrix without gaps, K is no whole number of
  ///   blocks, or `to` is none of these
  public static void convert(Workers workers, Tensor w, DType to, Consumer<MemorySegment> out) {
    var exact = w.dtype() instanceof DType.Block && to.equals(tiledForm(w.dtype()));
    if (exact) {
      var from = (DType.Block) w.dtype();
      long rowBytes = w.dim(1) / from.blockSize() * from.blockBytes();
      inSlabs(
          workers,
          w,
          to,
          0,
          (row, count, _, dst, at) ->
              TiledPack.fromBlocks(from, w.segment(), row * rowBytes, count, w.dim(1), dst, at),
          out);
    } else {
      permute(workers, w, to, row -> row, out);
    }
  }

  /// As [#convert], always by the values, with row i of the result taken from row `rowOf(i)`.
  ///
  /// @throws IllegalArgumentException as [#convert]
  public static void permute(
      Workers workers, Tensor w, DType to, LongUnaryOperator rowOf, Consumer<MemorySegment> out) {
    long k = w.dim(1);
    inSlabs(
        workers,
        w,
        to,
        ROWS * k * Float.BYTES,
        (row, count, floats, dst, at) -> {
          for (int r = 0; r < count; r++) {
            long source = rowOf.applyAsLong(row + r);
            WeightRows.toFloat(Backend.VECTOR, w, source, 1, floats, r * k * Float.BYTES);
          }
          switch (to) {
            case DType.Plain _ -> MemorySegment.copy(floats, 0, dst, at, count * k * Float.BYTES);
            case DType.Block b -> Quantize.fromFloat(b, floats, 0, dst, at, count * k);
            case DType.Tiled t -> TiledPack.fromFloat(t, floats, 0, count, k, dst, at);
            case DType.Unknown u -> throw new IllegalArgumentException(u.name());
          }
        },
        out);
  }

  /// The integers of a matrix (N, K) that is stored in some other way.
  public interface Integers {
    /// Gives rows `row` .. `row + count`-1, row-major: of 4 bits -8..7, of 8 bits -128..127.
    void read(int row, int count, byte[] out);

    /// The scale of a row's group of the tiled type's size.
    float scale(int row, int group);
  }

  /// A matrix of given integers and scales in tiles.
  ///
  /// @param arena where the tiles are
  /// @throws IllegalArgumentException if a scale is no F16
  public static Tensor tiles(
      Workers workers, Integers integers, DType.Tiled type, long n, long k, Arena arena) {
    var tensor = Tensor.allocate(arena, type, n, k);
    int columns = Math.toIntExact(k);
    int groups = columns / type.groupSize();
    workers.forEach(
        Math.ceilDiv(n, (long) ROWS),
        1,
        (worker, from, to) -> {
          var rows = new byte[ROWS * columns];
          var scales = new short[ROWS * groups];
          for (long tile = from; tile < to; tile++) {
            int first = Math.toIntExact(tile * ROWS);
            int count = (int) Math.min(ROWS, n - first);
            integers.read(first, count, rows);
            for (int i = 0; i < count * groups; i++) {
              scales[i] = f16(integers.scale(first + i / groups, i % groups));
            }
            var bytes = tensor.segment();
            long at = tile * type.byteSize(Shape.of(ROWS, k));
            TiledPack.fromIntegers(type, rows, scales, count, columns, bytes, at);
          }
        });
    return tensor;
  }

  private static short f16(float scale) {
    short bits = Float.floatToFloat16(scale);
    if (Float.float16ToFloat(bits) != scale) {
      throw new IllegalArgumentException("scale " + scale + " is no F16");
    }
    return bits;
  }

  @FunctionalInterface
  private interface RowsKernel {
    /// Writes `count` rows from `row` on to `dst`, from byte `at` on.
    void run(long row, int count, MemorySegment scratch, MemorySegment dst, long at);
  }

  private static void inSlabs(
      Workers workers,
      Tensor w,
      DType to,
      long scratchBytes,
      RowsKernel kernel,
      Consumer<MemorySegment> out) {
    check(w, to);
    long n = w.dim(0);
    long k = w.dim(1);
    long tileBytes = to.byteSize(Shape.of(ROWS, k));
    long slabTiles = Math.clamp(SLAB / tileBytes, 1, Math.ceilDiv(n, (long) ROWS));
    try (var arena = Arena.ofShared()) {
      var slab = arena.allocate(slabTiles * tileBytes, 64);
      var scratch = new MemorySegment[workers.threads()];
      for (int i = 0; i < scratch.length; i++) {
        scratch[i] = arena.allocate(Math.max(1, scratchBytes), 64);
      }
      for (long start = 0; start < n; start += slabTiles * ROWS) {
        long first = start;
        long rows = Math.min(n - first, slabTiles * ROWS);
        workers.forEach(
            Math.ceilDiv(rows, (long) ROWS),
            1,
            (worker, from, until) -> {
              for (long tile = from; tile < until; tile++) {
                int count = (int) Math.min(ROWS, rows - tile * ROWS);
                kernel.run(first + tile * ROWS, count, scratch[worker], slab, tile * tileBytes);
              }
            });
        out.accept(slab.asSlice(0, to.byteSize(Shape.of(rows, k))));
      }
    }
  }

  private static void check(Tensor w, DType to) {
    boolean possible =
        switch (to) {
          case DType.Plain p -> p == DType.Plain.F32;
          case DType.Block b -> Quantize.supports(b);
          case DType.Tiled t ->
              t.form() == DType.Tiled.Form.PLAIN || t.equals(tiledForm(w.dtype()));
          case DType.Unknown u -> false;
        };
    if (!possible) {
      throw new IllegalArgumentException(
          "%s is no type to convert to; choose F32, a tiled one, or Q8_0, Q5_1, Q5_0, Q4_1 or Q4_0"
              .formatted(to.name()));
    }
    if (w.shape().rank() != 2 || !w.isContiguous() || w.dim(1) % to.blockSize() != 0) {
      throw new IllegalArgumentException(
          "a %s tensor of shape %s cannot become %s: need a matrix without gaps whose rows are whole blocks of %d"
              .formatted(w.dtype().name(), w.shape(), to.name(), to.blockSize()));
    }
  }
}
