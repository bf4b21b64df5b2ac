package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BYTES;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.LANE;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.f16;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.INT;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// GGUF's blocks to F32 by the Vector API, in the same order of operations as [Blocks32] and
/// [Blocks256], where the formats are described. `from` and `to` are addresses.
final class VectorBlocks {
  private VectorBlocks() {}

  static void q40(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 18, to += 128) {
      float d = f16(from);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q =
            ((IntVector)
                ByteVector.fromMemorySegment(BYTES, ALL, from + 2 + j & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0));
        ((FloatVector) q.and(0xF).sub(8).convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        ((FloatVector)
                q.lanewise(VectorOperators.LSHR, 4).and(0xF).sub(8).convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoMemorySegment(ALL, to + 64 + 4L * j & IN_BOUNDS, ORDER);
      }
    }
  }

  static void q41(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 20, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q =
            ((IntVector)
                ByteVector.fromMemorySegment(BYTES, ALL, from + 4 + j & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0));
        ((FloatVector) q.and(0xF).convert(VectorOperators.I2F, 0))
            .mul(d)
            .add(m)
            .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        ((FloatVector) q.lanewise(VectorOperators.LSHR, 4).and(0xF).convert(VectorOperators.I2F, 0))
            .mul(d)
            .add(m)
            .intoMemorySegment(ALL, to + 64 + 4L * j & IN_BOUNDS, ORDER);
      }
    }
  }

  static void q50(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 22, to += 128) {
      float d = f16(from);
      int qh = ALL.get(INT, from + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q =
            ((IntVector)
                ByteVector.fromMemorySegment(BYTES, ALL, from + 6 + j & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0));
        ((FloatVector)
                q.and(0xF)
                    .or(
                        IntVector.broadcast(INTS, qh)
                            .lanewise(VectorOperators.LSHR, LANE.add(j))
                            .and(1)
                            .lanewise(VectorOperators.LSHL, 4))
                    .sub(16)
                    .convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        ((FloatVector)
                q.lanewise(VectorOperators.LSHR, 4)
                    .and(0xF)
                    .or(
                        IntVector.broadcast(INTS, qh)
                            .lanewise(VectorOperators.LSHR, LANE.add(16 + j))
                            .and(1)
                            .lanewise(VectorOperators.LSHL, 4))
                    .sub(16)
                    .convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoMemorySegment(ALL, to + 64 + 4L * j & IN_BOUNDS, ORDER);
      }
    }
  }

  static void q51(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 24, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      int qh = ALL.get(INT, from + 4);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q =
            ((IntVector)
                ByteVector.fromMemorySegment(BYTES, ALL, from + 8 + j & IN_BOUNDS, ORDER)
                    .convertShape(VectorOperators.B2I, INTS, 0));
        ((FloatVector)
                q.and(0xF)
                    .or(
                        IntVector.broadcast(INTS, qh)
                            .lanewise(VectorOperators.LSHR, LANE.add(j))
                            .and(1)
                            .lanewise(VectorOperators.LSHL, 4))
                    .convert(VectorOperators.I2F, 0))
            .mul(d)
            .add(m)
            .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        ((FloatVector)
                q.lanewise(VectorOperators.LSHR, 4)
                    .and(0xF)
                    .or(
                        IntVector.broadcast(INTS, qh)
                            .lanewise(VectorOperators.LSHR, LANE.add(16 + j))
                            .and(1)
                            .lanewise(VectorOperators.LSHL, 4))
                    .convert(VectorOperators.I2F, 0))
            .mul(d)
            .add(m)
            .intoMemorySegment(ALL, to + 64 + 4L * j & IN_BOUNDS, ORDER);
      }
    }
  }

  static void q80(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 34, to += 128) {
      float d = f16(from);
      for (int j = 0; j < 32; j += COUNT) {
        ((FloatVector)
                ((IntVector)
                        ByteVector.fromMemorySegment(BYTES, ALL, from + 2 + j & IN_BOUNDS, ORDER)
                            .convertShape(VectorOperators.B2I, INTS, 0))
                    .convert(VectorOperators.I2F, 0))
            .mul(d)
            .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
      }
    }
  }

  static void q4k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 144) {
      float d = f16(from);
      float dmin = f16(from + 2);
      long scales = scales(from + 4);
      long mins = mins(from + 4);
      for (int group = 0; group < 8; group++, to += 128) {
        float scale = d * (scales >>> (group * 8) & 63);
        float min = dmin * (mins >>> (group * 8) & 63);
        long qs = from + 16 + (group >> 1) * 32L;
        int shift = (group & 1) * 4;
        for (int j = 0; j < 32; j += COUNT) {
          IntVector q =
              ((IntVector)
                      ByteVector.fromMemorySegment(BYTES, ALL, qs + j & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.B2I, INTS, 0))
                  .lanewise(VectorOperators.LSHR, shift)
                  .and(0xF);
          ((FloatVector) q.convert(VectorOperators.I2F, 0))
              .mul(scale)
              .sub(min)
              .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        }
      }
    }
  }

  static void q5k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 176) {
      float d = f16(from);
      float dmin = f16(from + 2);
      long scales = scales(from + 4);
      long mins = mins(from + 4);
      for (int group = 0; group < 8; group++, to += 128) {
        float scale = d * (scales >>> (group * 8) & 63);
        float min = dmin * (mins >>> (group * 8) & 63);
        long qs = from + 48 + (group >> 1) * 32L;
        int shift = (group & 1) * 4;
        for (int j = 0; j < 32; j += COUNT) {
          IntVector high =
              ((IntVector)
                      ByteVector.fromMemorySegment(BYTES, ALL, from + 16 + j & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.B2I, INTS, 0))
                  .lanewise(VectorOperators.LSHR, group)
                  .and(1)
                  .lanewise(VectorOperators.LSHL, 4);
          IntVector q =
              ((IntVector)
                      ByteVector.fromMemorySegment(BYTES, ALL, qs + j & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.B2I, INTS, 0))
                  .lanewise(VectorOperators.LSHR, shift)
                  .and(0xF)
                  .or(high);
          ((FloatVector) q.convert(VectorOperators.I2F, 0))
              .mul(scale)
              .sub(min)
              .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        }
      }
    }
  }

  static void q6k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 210) {
      float d = f16(from + 208);
      for (int quarter = 0; quarter < 8; quarter++, to += 128) {
        long ql = from + (quarter >> 2) * 64L + (quarter & 1) * 32L;
        long qh = from + 128 + (quarter >> 2) * 32L;
        long scales = from + 192 + quarter * 2L;
        int lowShift = (quarter >> 1 & 1) * 4;
        int highShift = (quarter & 3) * 2;
        for (int j = 0; j < 32; j += COUNT) {
          float scale = d * ALL.get(BYTE, scales + j / 16);
          IntVector high =
              ((IntVector)
                      ByteVector.fromMemorySegment(BYTES, ALL, qh + j & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.B2I, INTS, 0))
                  .lanewise(VectorOperators.LSHR, highShift)
                  .and(3)
                  .lanewise(VectorOperators.LSHL, 4);
          IntVector q =
              ((IntVector)
                      ByteVector.fromMemorySegment(BYTES, ALL, ql + j & IN_BOUNDS, ORDER)
                          .convertShape(VectorOperators.B2I, INTS, 0))
                  .lanewise(VectorOperators.LSHR, lowShift)
                  .and(0xF)
                  .or(high);
          ((FloatVector) q.sub(32).convert(VectorOperators.I2F, 0))
              .mul(scale)
              .intoMemorySegment(ALL, to + 4L * j & IN_BOUNDS, ORDER);
        }
      }
    }
  }

  /// The eight scales of [Blocks256#scale6], one in a byte.
  static long scales(long address) {
    return unpack(ALL.get(INT, address), ALL.get(INT, address + 8));
  }

  /// The eight minimums of [Blocks256#min6], one in a byte.
  static long mins(long address) {
    return unpack(ALL.get(INT, address + 4), ALL.get(INT, address + 8) >>> 4);
  }

  private static long unpack(int whole, int nibbles) {
    int second = (nibbles & 0x0F0F0F0F) | (whole >>> 2 & 0x30303030);
    return (whole & 0x3F3F3F3F) | (long) second << 32;
  }
}
