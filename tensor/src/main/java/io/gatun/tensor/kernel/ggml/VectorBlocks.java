package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BASE;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.f16;
import static io.gatun.tensor.kernel.dense.Lanes.spread;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.INT;

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
        store(toFloat(low(q).sub(8)).mul(d), to + 4L * j);
        store(toFloat(high(q).sub(8)).mul(d), to + 64 + 4L * j);
      }
    }
  }

  static void q41(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 20, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(from + 4 + j);
        store(toFloat(low(q)).mul(d).add(m), to + 4L * j);
        store(toFloat(high(q)).mul(d).add(m), to + 64 + 4L * j);
      }
    }
  }

  static void q50(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 22, to += 128) {
      float d = f16(from);
      int qh = ALL.get(INT, from + 2);
      // The halves are a loop: beyond some calls C2 inlines no more helpers.
      for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 16; j += COUNT) {
          IntVector q = fifthBit(bits(from + 6 + j, 4 * half, 0xF), qh, 16 * half + j);
          store(toFloat(q.sub(16)).mul(d), to + 64L * half + 4L * j);
        }
      }
    }
  }

  static void q51(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 24, to += 128) {
      float d = f16(from);
      float m = f16(from + 2);
      int qh = ALL.get(INT, from + 4);
      for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 16; j += COUNT) {
          IntVector q = fifthBit(bits(from + 8 + j, 4 * half, 0xF), qh, 16 * half + j);
          store(toFloat(q).mul(d).add(m), to + 64L * half + 4L * j);
        }
      }
    }
  }

  static void q80(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 34, to += 128) {
      float d = f16(from);
      for (int j = 0; j < 32; j += COUNT) {
        store(toFloat(bytes(from + 2 + j)).mul(d), to + 4L * j);
      }
    }
  }

  static void q4k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 144) {
      long w = from & BASE;
      float d = f16(w);
      float dmin = f16(w + 2);
      long scales = scales(w + 4);
      long mins = mins(w + 4);
      for (int group = 0; group < 8; group++, to += 128) {
        float scale = d * (scales >>> (group * 8) & 63);
        float min = dmin * (mins >>> (group * 8) & 63);
        long y = to & BASE;
        long qs = w + 16 + (group >> 1) * 32L;
        int shift = (group & 1) * 4;
        for (int j = 0; j < 32; j += COUNT) {
          IntVector q = bits(qs + j, shift, 0xF);
          store(toFloat(q).mul(scale).sub(min), y + 4 * j);
        }
      }
    }
  }

  static void q5k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 176) {
      long w = from & BASE;
      float d = f16(w);
      float dmin = f16(w + 2);
      long scales = scales(w + 4);
      long mins = mins(w + 4);
      for (int group = 0; group < 8; group++, to += 128) {
        float scale = d * (scales >>> (group * 8) & 63);
        float min = dmin * (mins >>> (group * 8) & 63);
        long y = to & BASE;
        long qs = w + 48 + (group >> 1) * 32L;
        int shift = (group & 1) * 4;
        for (int j = 0; j < 32; j += COUNT) {
          IntVector high = bits(w + 16 + j, group, 1).lanewise(VectorOperators.LSHL, 4);
          IntVector q = bits(qs + j, shift, 0xF).or(high);
          store(toFloat(q).mul(scale).sub(min), y + 4 * j);
        }
      }
    }
  }

  static void q6k(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 210) {
      long w = from & BASE;
      float d = f16(w + 208);
      for (int quarter = 0; quarter < 8; quarter++, to += 128) {
        long y = to & BASE;
        long ql = w + (quarter >> 2) * 64L + (quarter & 1) * 32L;
        long qh = w + 128 + (quarter >> 2) * 32L;
        long scales = w + 192 + quarter * 2L;
        int lowShift = (quarter >> 1 & 1) * 4;
        int highShift = (quarter & 3) * 2;
        for (int j = 0; j < 32; j += COUNT) {
          float scale = d * ALL.get(BYTE, scales + j / 16);
          IntVector high = bits(qh + j, highShift, 3).lanewise(VectorOperators.LSHL, 4);
          IntVector q = bits(ql + j, lowShift, 0xF).or(high);
          store(toFloat(q.sub(32)).mul(scale), y + 4 * j);
        }
      }
    }
  }

  /// Bytes, shifted to the right and masked.
  private static IntVector bits(long address, int shift, int mask) {
    return bytes(address).lanewise(VectorOperators.LSHR, shift).and(mask);
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
