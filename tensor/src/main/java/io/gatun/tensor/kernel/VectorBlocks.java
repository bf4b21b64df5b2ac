package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.BYTE;
import static io.gatun.tensor.kernel.Elements.INT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.bytes;
import static io.gatun.tensor.kernel.Lanes.f16;
import static io.gatun.tensor.kernel.Lanes.spread;
import static io.gatun.tensor.kernel.Lanes.store;
import static io.gatun.tensor.kernel.Lanes.toFloat;

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
        IntVector q = bytes(from + 2 + j);
        store(toFloat(low(q).sub(8)).mul(d), to + j * 4);
        store(toFloat(high(q).sub(8)).mul(d), to + 64 + j * 4);
      }
    }
  }

  static void q41(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 20, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(from + 4 + j);
        store(toFloat(low(q)).mul(d).add(m), to + j * 4);
        store(toFloat(high(q)).mul(d).add(m), to + 64 + j * 4);
      }
    }
  }

  static void q50(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 22, to += 128) {
      float d = f16(from);
      int qh = ALL.get(INT, from + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(from + 6 + j);
        store(toFloat(fifthBit(low(q), qh, j).sub(16)).mul(d), to + j * 4);
        store(toFloat(fifthBit(high(q), qh, 16 + j).sub(16)).mul(d), to + 64 + j * 4);
      }
    }
  }

  static void q51(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 24, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      int qh = ALL.get(INT, from + 4);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(from + 8 + j);
        store(toFloat(fifthBit(low(q), qh, j)).mul(d).add(m), to + j * 4);
        store(toFloat(fifthBit(high(q), qh, 16 + j)).mul(d).add(m), to + 64 + j * 4);
      }
    }
  }

  static void q80(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 34, to += 128) {
      float d = f16(from);
      for (int j = 0; j < 32; j += COUNT) {
        store(toFloat(bytes(from + 2 + j)).mul(d), to + j * 4);
      }
    }
  }

  static void q4k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 144) {
      float d = f16(from);
      float dmin = f16(from + 2);
      long scales = scales(from + 4);
      long mins = mins(from + 4);
      for (long qs = from + 16; qs < from + 144; qs += 32, to += 256, scales >>>= 16, mins >>>= 16) {
        float scale0 = d * (scales & 63);
        float scale1 = d * (scales >> 8 & 63);
        float min0 = dmin * (mins & 63);
        float min1 = dmin * (mins >> 8 & 63);
        for (int j = 0; j < 32; j += COUNT) {
          IntVector q = bytes(qs + j);
          store(toFloat(low(q)).mul(scale0).sub(min0), to + j * 4);
          store(toFloat(high(q)).mul(scale1).sub(min1), to + 128 + j * 4);
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
      for (int group = 0; group < 8; group += 2, to += 256, scales >>>= 16, mins >>>= 16) {
        float scale0 = d * (scales & 63);
        float scale1 = d * (scales >> 8 & 63);
        float min0 = dmin * (mins & 63);
        float min1 = dmin * (mins >> 8 & 63);
        for (int j = 0; j < 32; j += COUNT) {
          IntVector q = bytes(from + 48 + group * 16 + j);
          IntVector qh = bytes(from + 16 + j).lanewise(VectorOperators.LSHR, group);
          IntVector q0 = low(q).or(qh.lanewise(VectorOperators.LSHL, 4).and(16));
          IntVector q1 = high(q).or(qh.lanewise(VectorOperators.LSHL, 3).and(16));
          store(toFloat(q0).mul(scale0).sub(min0), to + j * 4);
          store(toFloat(q1).mul(scale1).sub(min1), to + 128 + j * 4);
        }
      }
    }
  }

  static void q6k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 210) {
      float d = f16(from + 208);
      for (int half = 0; half < 2; half++, to += 512) {
        for (int j = 0; j < 32; j += COUNT) {
          IntVector ql0 = bytes(from + half * 64 + j);
          IntVector ql1 = bytes(from + half * 64 + 32 + j);
          IntVector qh = bytes(from + 128 + half * 32 + j);
          long scale = from + 192 + half * 8 + j / 16;
          IntVector q0 = low(ql0).or(qh.lanewise(VectorOperators.LSHL, 4).and(0x30));
          IntVector q1 = low(ql1).or(qh.lanewise(VectorOperators.LSHL, 2).and(0x30));
          IntVector q2 = high(ql0).or(qh.and(0x30));
          IntVector q3 = high(ql1).or(qh.lanewise(VectorOperators.LSHR, 2).and(0x30));
          store(sixBits(q0, d * ALL.get(BYTE, scale)), to + j * 4);
          store(sixBits(q1, d * ALL.get(BYTE, scale + 2)), to + 128 + j * 4);
          store(sixBits(q2, d * ALL.get(BYTE, scale + 4)), to + 256 + j * 4);
          store(sixBits(q3, d * ALL.get(BYTE, scale + 6)), to + 384 + j * 4);
        }
      }
    }
  }

  private static IntVector low(IntVector bytes) {
    return bytes.and(0xF);
  }

  private static IntVector high(IntVector bytes) {
    return bytes.lanewise(VectorOperators.LSHR, 4).and(0xF);
  }

  private static IntVector fifthBit(IntVector nibbles, int qh, int first) {
    return nibbles.or(spread(qh, first).lanewise(VectorOperators.LSHL, 4));
  }

  private static FloatVector sixBits(IntVector q, float scale) {
    return toFloat(q.sub(32)).mul(scale);
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
    int second = nibbles & 0x0F0F0F0F | whole >>> 2 & 0x30303030;
    return whole & 0x3F3F3F3F | (long) second << 32;
  }
}
