package io.gatun.tools.machine;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.VectorUnit;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/// Measures what this machine can do at most: the roofs that other measurements are shares of.
///
/// Products are C (m, n) = A (m, k) B (n, k) transposed with m = n = k = [#SIZE], as linear layers
/// make them. Except where said, each of the workers calls a single-threaded library for its share
/// of the columns.
public final class Roofs implements AutoCloseable {
  /// The rows and columns of the matrices.
  static final int SIZE = 2048;

  /// What is read to measure bandwidth: much more than any cache holds.
  public static final long READ_BYTES = 1L << 30;

  private static final double FLOPS = 2.0 * SIZE * SIZE * SIZE;
  private static final int RUNS = 9;

  /// OpenBLAS's threads spin for some 30 ms after a product, in the way of whatever is next.
  private static final long PAUSE_NANOS = 100_000_000;

  private static final int JOINS = 20_000;
  private static final long READ_GRAIN = 1 << 20;

  /// Of so few bytes, four streams are one.
  private static final long ONE_STREAM = 1 << 10;

  private final Workers workers;

  /// @param threads the threads to measure with, at least 1
  public Roofs(int threads) {
    workers = new Workers(threads);
  }

  /// The best and the median of several runs, as work per second.
  public record Rate(double best, double median) {
    /// Of runs that took these seconds for `work` each.
    private static Rate of(double work, double[] seconds) {
      Arrays.sort(seconds);
      return new Rate(work / seconds[0], work / seconds[seconds.length / 2]);
    }
  }

  /// Bytes per second that `threads` threads read from memory: each as one stream or as four, which
  /// of them is faster differs between machines.
  public static Rate readBandwidth(int threads) {
    try (var arena = Arena.ofShared();
        var team = new Workers(threads)) {
      // Allocating writes zeros, so the pages are really there.
      MemorySegment data = arena.allocate(READ_BYTES, READ_GRAIN);
      var rates = measure(READ_BYTES, read(team, data, ONE_STREAM), read(team, data, READ_GRAIN));
      return Collections.max(rates, Comparator.comparingDouble(Rate::best));
    }
  }

  /// Reads all, a few bytes at a time, which each are read as four streams.
  private static Runnable read(Workers team, MemorySegment data, long bytes) {
    var sums = new int[team.threads() * 16]; // kept, so that nothing is optimized away
    return () ->
        team.forEach(
            READ_BYTES / READ_GRAIN,
            1,
            (worker, from, to) -> {
              for (long at = from * READ_GRAIN; at < to * READ_GRAIN; at += bytes) {
                sums[worker * 16] ^= VectorUnit.read(data, at, at + bytes);
              }
            });
  }

  /// Empty operations per second: how often the workers can be given work and joined again.
  public Rate joins() {
    return measure(
        JOINS,
        () -> {
          for (int i = 0; i < JOINS; i++) {
            workers.forEach(workers.threads(), 1, (worker, from, to) -> {});
          }
        });
  }

  /// The products that a network with activations of type `dtype` is made of here.
  ///
  /// @param library that makes them, and in which type
  /// @param rate in FLOP per second
  public record Products(String library, double rate) {}

  /// Measures the products of `dtype`, BF16 or F32: oneDNN's where it is fast in that type, else
  /// OpenBLAS's, in F32.
  public static Products products(DType.Plain dtype, int threads) {
    var type = dtype == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32;
    try (var roofs = new Roofs(threads)) {
      return OneDnn.supports(type)
          ? new Products(
              "oneDNN " + dtype.name().toLowerCase(Locale.ROOT),
              roofs.oneDnn(type, type, ElementType.F32).median())
          : new Products("OpenBLAS f32", roofs.openBlas().getFirst().median());
    }
  }

  /// OpenBLAS's f32 product in FLOP per second: called by our workers, and on as many threads of
  /// its own. The runs alternate, so that both meet the same machine.
  public List<Rate> openBlas() {
    int threads = workers.threads();
    try (var arena = Arena.ofShared()) {
      var m = new Matrices(arena, ElementType.F32, ElementType.F32, ElementType.F32);
      return measure(
          FLOPS,
          () -> {
            OpenBlas.setThreads(1);
            workers.forEach(
                SIZE, grain(), (worker, from, to) -> m.sgemm((int) from, (int) (to - from)));
          },
          () -> {
            OpenBlas.setThreads(threads);
            m.sgemm(0, SIZE);
          });
    } finally {
      OpenBlas.setThreads(1);
    }
  }

  /// oneDNN's product of two types with weights packed as it likes them, FLOP per second.
  ///
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public Rate oneDnn(ElementType a, ElementType b, ElementType c) {
    int threads = workers.threads();
    int columns = SIZE / threads / 32 * 32; // the same for all; the rest is not computed
    var rows = MatmulSpec.of(SIZE, columns, SIZE, a, b, c, true);
    var packed = OneDnn.packedLayout(rows);
    var spec = rows.withStrides(SIZE, packed, SIZE);
    try (var arena = Arena.ofShared()) {
      var m = new Matrices(arena, a, b, c);
      var weights = arena.allocate(packed.byteSize(), 64);
      OneDnn.pack(rows, b, m.b, packed, weights);
      return measure(
          FLOPS * columns * threads / SIZE,
          () ->
              workers.forEach(
                  threads,
                  1,
                  (worker, from, to) -> {
                    for (long i = from; i < to; i++) {
                      OneDnn.matmul(spec, m.a, weights, m.c.asSlice(i * columns * c.bytes()));
                    }
                  }));
    }
  }

  /// One share for each worker: the library rearranges all of A in every call, so that calls for
  /// fewer columns than that would cost.
  private long grain() {
    return Math.ceilDiv(SIZE, workers.threads());
  }

  private static Rate measure(double work, Runnable run) {
    return measure(work, new Runnable[] {run}).getFirst();
  }

  /// Runs all in turn, twice to warm up and then [#RUNS] times.
  private static List<Rate> measure(double work, Runnable... runs) {
    var seconds = new double[runs.length][RUNS];
    for (int i = -2; i < RUNS; i++) {
      for (int r = 0; r < runs.length; r++) {
        if (runs.length > 1) {
          LockSupport.parkNanos(PAUSE_NANOS);
        }
        long start = System.nanoTime();
        runs[r].run();
        seconds[r][Math.max(i, 0)] = (System.nanoTime() - start) / 1e9;
      }
    }
    return Arrays.stream(seconds).map(s -> Rate.of(work, s)).toList();
  }

  @Override
  public void close() {
    workers.close();
  }

  /// The operands: A and B filled with small values, so that nothing is denormal.
  private static final class Matrices {
    final MemorySegment a;
    final MemorySegment b;
    final MemorySegment c;

    Matrices(Arena arena, ElementType aType, ElementType bType, ElementType cType) {
      a = filled(arena, aType);
      b = filled(arena, bType);
      c = arena.allocate((long) SIZE * SIZE * cType.bytes(), 64);
    }

    private static MemorySegment filled(Arena arena, ElementType type) {
      var matrix = arena.allocate((long) SIZE * SIZE * type.bytes(), 64);
      for (long i = 0; i < (long) SIZE * SIZE; i++) {
        int value = (int) (i % 7) + 1;
        switch (type) {
          case F32 -> matrix.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
          case BF16 ->
              matrix.setAtIndex(
                  ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(value) >>> 16));
          case F16 -> matrix.setAtIndex(ValueLayout.JAVA_SHORT, i, Float.floatToFloat16(value));
          case S32 -> matrix.setAtIndex(ValueLayout.JAVA_INT, i, value);
          case S8, U8 -> matrix.set(ValueLayout.JAVA_BYTE, i, (byte) value);
        }
      }
      return matrix;
    }

    /// `columns` columns of C from `first` on.
    void sgemm(int first, int columns) {
      OpenBlas.sgemm(
          false,
          true,
          SIZE,
          columns,
          SIZE,
          1,
          a,
          SIZE,
          b.asSlice(4L * first * SIZE),
          SIZE,
          0,
          c.asSlice(4L * first),
          SIZE);
    }
  }
}
