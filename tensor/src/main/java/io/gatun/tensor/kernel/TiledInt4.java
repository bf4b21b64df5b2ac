package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Species.F;
import static io.gatun.tensor.kernel.Species.FLOAT;
import static io.gatun.tensor.kernel.Species.I;
import static io.gatun.tensor.kernel.Species.LANES;
import static io.gatun.tensor.kernel.Species.LE;
import static io.gatun.tensor.kernel.Species.S;
import static io.gatun.tensor.kernel.Species.SHORT;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

public final class TiledInt4 {
  /// Bytes of the scratch memory that each thread brings.
  public static final int SCRATCH_BYTES = 8192;

  static final int CHUNK = 8;
  static final int BYTES = S.vectorByteSize();
  static final int SLOTS = 64 / BYTES;

  private TiledInt4() {}

  public static void multiply(
      Tiled type,
      MemorySegment w,
      long wAt,
      MemorySegment q,
      long qAt,
      int count,
      int columns,
      int from,
      int to,
      MemorySegment y,
      long yAt,
      long yStride,
      MemorySegment scratch) {
    int block = 64 + type.groupSize() * 16;
    int shift = Integer.numberOfTrailingZeros(type.groupSize() / 32);
    long tile = (long) (columns / type.groupSize()) * block;
    int groups = columns / 32;
    long rowBytes = QuantizedRows.rowBytes(columns);
    int last = to * SLOTS - 1;
    for (int m = 0; m < count; m++) {
      for (int row = from * 32; row < to * 32; row++) {
        y.set(FLOAT, yAt + m * yStride + row * 4L, 0);
      }
    }
    if (count == 1) {
    for (int s = from * SLOTS; s <= last; s += 4) {
      int s1 = Math.min(s + 1, last);
      int s2 = Math.min(s + 2, last);
      int s3 = Math.min(s + 3, last);
      long p0 = wAt + s / SLOTS * tile + s % SLOTS * BYTES;
      long p1 = wAt + s1 / SLOTS * tile + s1 % SLOTS * BYTES;
      long p2 = wAt + s2 / SLOTS * tile + s2 % SLOTS * BYTES;
      long p3 = wAt + s3 / SLOTS * tile + s3 % SLOTS * BYTES;
      long x = qAt;
      for (int g = 0; g < groups; g += CHUNK) {
        int n = Math.min(CHUNK, groups - g);
        integers(w, p0 + 64, p1 + 64, p2 + 64, p3 + 64, shift, block, q, x, n, scratch);
        scale(scratch, 0, w, p0, shift, block, q, x, n, y, yAt + row(s) * 4L);
        if (s1 > s) {
        scale(scratch, BYTES, w, p1, shift, block, q, x, n, y, yAt + row(s1) * 4L);
        }
        if (s2 > s1) {
        scale(scratch, 2 * BYTES, w, p2, shift, block, q, x, n, y, yAt + row(s2) * 4L);
        }
        if (s3 > s2) {
        scale(scratch, 3 * BYTES, w, p3, shift, block, q, x, n, y, yAt + row(s3) * 4L);
        }
        long bytes = (long) (CHUNK >> shift) * block;
        p0 += bytes;
        p1 += bytes;
        p2 += bytes;
        p3 += bytes;
        x += CHUNK * QuantizedRows.BLOCK_BYTES;
      }
    }
    } else {
    for (int s = from * SLOTS; s <= last; s++) {
     for (int m = 0; m < count; m += 4) {
      long p0 = wAt + s / SLOTS * tile + s % SLOTS * BYTES;
      int m1 = Math.min(m + 1, count - 1);
      int m2 = Math.min(m + 2, count - 1);
      int m3 = Math.min(m + 3, count - 1);
      long x0 = qAt + m * rowBytes;
      long x1 = qAt + m1 * rowBytes;
      long x2 = qAt + m2 * rowBytes;
      long x3 = qAt + m3 * rowBytes;
      for (int g = 0; g < groups; g += CHUNK) {
        int n = Math.min(CHUNK, groups - g);
        integers4(w, p0 + 64, shift, block, q, x0, x1, x2, x3, n, scratch);
        scale(scratch, 0, w, p0, shift, block, q, x0, n, y, yAt + m * yStride + row(s) * 4L);
        if (m1 > m) {
        scale(scratch, BYTES, w, p0, shift, block, q, x1, n, y, yAt + m1 * yStride + row(s) * 4L);
        }
        if (m2 > m1) {
        scale(scratch, 2 * BYTES, w, p0, shift, block, q, x2, n, y, yAt + m2 * yStride + row(s) * 4L);
        }
        if (m3 > m2) {
        scale(scratch, 3 * BYTES, w, p0, shift, block, q, x3, n, y, yAt + m3 * yStride + row(s) * 4L);
        }
        long bytes = (long) (CHUNK >> shift) * block;
        p0 += bytes;
        x0 += CHUNK * QuantizedRows.BLOCK_BYTES;
        x1 += CHUNK * QuantizedRows.BLOCK_BYTES;
        x2 += CHUNK * QuantizedRows.BLOCK_BYTES;
        x3 += CHUNK * QuantizedRows.BLOCK_BYTES;
      }
     }
    }
    }
  }

  private static int row(int slot) {
    return slot / SLOTS * Tiled.ROWS + slot % SLOTS * LANES;
  }

  private static void integers(MemorySegment w, long p0, long p1, long p2, long p3, int shift, int block, MemorySegment q, long qAt, int groups, MemorySegment t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long x = qAt + g * QuantizedRows.BLOCK_BYTES;
      long words = (g >> shift) * block + (g & mask) * 512;
      ShortVector t0 = ShortVector.broadcast(S, q.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector t1 = ShortVector.broadcast(S, q.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector t2 = ShortVector.broadcast(S, q.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector t3 = ShortVector.broadcast(S, q.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      for (int j = 0; j < 8; j++) {
        ShortVector a0 = ShortVector.broadcast(S, q.get(SHORT, x + j * 8));
        ShortVector a1 = ShortVector.broadcast(S, q.get(SHORT, x + j * 8 + 2));
        ShortVector a2 = ShortVector.broadcast(S, q.get(SHORT, x + j * 8 + 4));
        ShortVector a3 = ShortVector.broadcast(S, q.get(SHORT, x + j * 8 + 6));
        long at = words + j * 64;
        ShortVector v0 = ShortVector.fromMemorySegment(S, w, p0 + at, LE);
        t0 =
            t0.add(v0.mul(a0))
                .add(v0.lanewise(LSHR, 4).mul(a1))
                .add(v0.lanewise(LSHR, 8).mul(a2))
                .add(v0.lanewise(LSHR, 12).mul(a3));
        ShortVector v1 = ShortVector.fromMemorySegment(S, w, p1 + at, LE);
        t1 =
            t1.add(v1.mul(a0))
                .add(v1.lanewise(LSHR, 4).mul(a1))
                .add(v1.lanewise(LSHR, 8).mul(a2))
                .add(v1.lanewise(LSHR, 12).mul(a3));
        ShortVector v2 = ShortVector.fromMemorySegment(S, w, p2 + at, LE);
        t2 =
            t2.add(v2.mul(a0))
                .add(v2.lanewise(LSHR, 4).mul(a1))
                .add(v2.lanewise(LSHR, 8).mul(a2))
                .add(v2.lanewise(LSHR, 12).mul(a3));
        ShortVector v3 = ShortVector.fromMemorySegment(S, w, p3 + at, LE);
        t3 =
            t3.add(v3.mul(a0))
                .add(v3.lanewise(LSHR, 4).mul(a1))
                .add(v3.lanewise(LSHR, 8).mul(a2))
                .add(v3.lanewise(LSHR, 12).mul(a3));
      }
      long to = g * 4L * BYTES;
      t0.intoMemorySegment(t, to, LE);
      t1.intoMemorySegment(t, to + 1 * BYTES, LE);
      t2.intoMemorySegment(t, to + 2 * BYTES, LE);
      t3.intoMemorySegment(t, to + 3 * BYTES, LE);
    }
  }

  private static void integers4(MemorySegment w, long p, int shift, int block, MemorySegment q, long x0, long x1, long x2, long x3, int groups, MemorySegment t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long x = g * QuantizedRows.BLOCK_BYTES;
      long words = p + (g >> shift) * block + (g & mask) * 512;
      ShortVector t0 = ShortVector.broadcast(S, q.get(SHORT, x0 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector t1 = ShortVector.broadcast(S, q.get(SHORT, x1 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector t2 = ShortVector.broadcast(S, q.get(SHORT, x2 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector t3 = ShortVector.broadcast(S, q.get(SHORT, x3 + x + QuantizedRows.MINUS_8_SUM));
      for (int j = 0; j < 8; j++) {
        ShortVector v0 = ShortVector.fromMemorySegment(S, w, words + j * 64, LE);
        ShortVector v1 = v0.lanewise(LSHR, 4);
        ShortVector v2 = v0.lanewise(LSHR, 8);
        ShortVector v3 = v0.lanewise(LSHR, 12);
        long at = x + j * 8;
        t0 =
            t0.add(v0.mul(ShortVector.broadcast(S, q.get(SHORT, x0 + at))))
                .add(v1.mul(ShortVector.broadcast(S, q.get(SHORT, x0 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(S, q.get(SHORT, x0 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(S, q.get(SHORT, x0 + at + 6))));
        t1 =
            t1.add(v0.mul(ShortVector.broadcast(S, q.get(SHORT, x1 + at))))
                .add(v1.mul(ShortVector.broadcast(S, q.get(SHORT, x1 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(S, q.get(SHORT, x1 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(S, q.get(SHORT, x1 + at + 6))));
        t2 =
            t2.add(v0.mul(ShortVector.broadcast(S, q.get(SHORT, x2 + at))))
                .add(v1.mul(ShortVector.broadcast(S, q.get(SHORT, x2 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(S, q.get(SHORT, x2 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(S, q.get(SHORT, x2 + at + 6))));
        t3 =
            t3.add(v0.mul(ShortVector.broadcast(S, q.get(SHORT, x3 + at))))
                .add(v1.mul(ShortVector.broadcast(S, q.get(SHORT, x3 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(S, q.get(SHORT, x3 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(S, q.get(SHORT, x3 + at + 6))));
      }
      long to = g * 4L * BYTES;
      t0.intoMemorySegment(t, to, LE);
      t1.intoMemorySegment(t, to + 1 * BYTES, LE);
      t2.intoMemorySegment(t, to + 2 * BYTES, LE);
      t3.intoMemorySegment(t, to + 3 * BYTES, LE);
    }
  }

  private static void scale(MemorySegment t, long tAt, MemorySegment w, long dAt, int shift, int block, MemorySegment q, long qAt, int groups, MemorySegment y, long yAt) {
    FloatVector even = FloatVector.fromMemorySegment(F, y, yAt, LE);
    FloatVector odd = FloatVector.fromMemorySegment(F, y, yAt + 64, LE);
    for (int g = 0; g < groups; g++) {
      IntVector n = IntVector.fromMemorySegment(I, t, tAt + g * 4L * BYTES, LE);
      IntVector d = IntVector.fromMemorySegment(I, w, dAt + (g >> shift) * block, LE);
      float a = q.get(FLOAT, qAt + g * QuantizedRows.BLOCK_BYTES + QuantizedRows.SCALE) * 0x1p96f;
      FloatVector evenScale = d.lanewise(LSHL, 16).lanewise(ASHR, 3).and(0x8FFFE000).reinterpretAsFloats();
      FloatVector oddScale = d.lanewise(ASHR, 3).and(0x8FFFE000).reinterpretAsFloats();
      even = ((FloatVector) n.lanewise(LSHL, 16).convert(I2F, 0)).fma(evenScale.mul(a), even);
      odd = ((FloatVector) n.and(0xFFFF0000).convert(I2F, 0)).fma(oddScale.mul(a), odd);
    }
    even.intoMemorySegment(y, yAt, LE);
    odd.intoMemorySegment(y, yAt + 64, LE);
  }
}
