package io.gatun.tensor.kernel.ggml;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.f16;

import java.lang.foreign.MemorySegment;

/// GGUF's formats with blocks of 32 elements, to F32.
///
/// `d` is a block's scale, `m` its minimum (both F16), `qs` its small integers; where two integers
/// share a byte, the low nibbles are the elements 0..15 and the high nibbles 16..31. `qh` holds the
/// fifth bits. Layouts: ggml's `ggml-common.h`.
public final class Blocks32 {
  /// The 16 levels of IQ4_NL and IQ4_XS, closer together near zero.
  static final byte[] IQ4_LEVELS = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  /// Twice the values of F4 (E2M1).
  static final byte[] MXFP4_LEVELS = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  private Blocks32() {}

  /// `d | qs[16]`, value `(q - 8) * d`.
  static void q40(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 18, to += 128) {
      float d = f16(src, from);
      for (int j = 0; j < 16; j++) {
        int q = src.get(BYTE, from + 2 + j);
        dst.set(FLOAT, to + 4L * j, ((q & 0xF) - 8) * d);
        dst.set(FLOAT, to + 64 + 4L * j, ((q >> 4 & 0xF) - 8) * d);
      }
    }
  }

  /// `d | m | qs[16]`, value `q * d + m`.
  static void q41(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 20, to += 128) {
      float d = f16(src, from);
      float m = f16(src, from + 2);
      for (int j = 0; j < 16; j++) {
        int q = src.get(BYTE, from + 4 + j);
        dst.set(FLOAT, to + 4L * j, (q & 0xF) * d + m);
        dst.set(FLOAT, to + 64 + 4L * j, (q >> 4 & 0xF) * d + m);
      }
    }
  }

  /// `d | qh[4] | qs[16]`, value `(q - 16) * d`.
  static void q50(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 22, to += 128) {
      float d = f16(src, from);
      int qh = src.get(INT, from + 2);
      for (int j = 0; j < 16; j++) {
        int q = src.get(BYTE, from + 6 + j);
        int low = (q & 0xF) | (qh >> j & 1) << 4;
        int high = (q >> 4 & 0xF) | (qh >> (16 + j) & 1) << 4;
        dst.set(FLOAT, to + 4L * j, (low - 16) * d);
        dst.set(FLOAT, to + 64 + 4L * j, (high - 16) * d);
      }
    }
  }

  /// `d | m | qh[4] | qs[16]`, value `q * d + m`.
  static void q51(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 24, to += 128) {
      float d = f16(src, from);
      float m = f16(src, from + 2);
      int qh = src.get(INT, from + 4);
      for (int j = 0; j < 16; j++) {
        int q = src.get(BYTE, from + 8 + j);
        int low = (q & 0xF) | (qh >> j & 1) << 4;
        int high = (q >> 4 & 0xF) | (qh >> (16 + j) & 1) << 4;
        dst.set(FLOAT, to + 4L * j, low * d + m);
        dst.set(FLOAT, to + 64 + 4L * j, high * d + m);
      }
    }
  }

  /// `d | qs[32]`, value `q * d`.
  static void q80(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 34, to += 128) {
      float d = f16(src, from);
      for (int j = 0; j < 32; j++) {
        dst.set(FLOAT, to + 4L * j, src.get(BYTE, from + 2 + j) * d);
      }
    }
  }

  /// `d | s | qs[32]`, value `q * d`; `s` is `d` times the sum of qs.
  static void q81(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 36, to += 128) {
      float d = f16(src, from);
      for (int j = 0; j < 32; j++) {
        dst.set(FLOAT, to + 4L * j, src.get(BYTE, from + 4 + j) * d);
      }
    }
  }

  /// `d | qs[16]`, value `level(q) * d`.
  static void iq4nl(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 18, to += 128) {
      iq4Levels(src, from + 2, f16(src, from), dst, to);
    }
  }

  /// 32 elements of IQ4_NL or IQ4_XS.
  static void iq4Levels(MemorySegment src, long qs, float d, MemorySegment dst, long to) {
    levels(IQ4_LEVELS, src, qs, d, dst, to);
  }

  /// `e | qs[16]` where `e` is an exponent (F8_E8M0), value `level(q) * 2^(e - 127)`; OCP
  /// Microscaling Formats 1.0. (As in ggml, an exponent of 255, NaN in the specification, is
  /// 2^128.)
  static void mxfp4(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 17, to += 128) {
      float half = Math.scalb(1f, (src.get(BYTE, from) & 0xFF) - 128);
      levels(MXFP4_LEVELS, src, from + 1, half, dst, to);
    }
  }

  private static void levels(
      byte[] table, MemorySegment src, long qs, float d, MemorySegment dst, long to) {
    for (int j = 0; j < 16; j++) {
      int q = src.get(BYTE, qs + j);
      dst.set(FLOAT, to + 4L * j, table[q & 0xF] * d);
      dst.set(FLOAT, to + 64 + 4L * j, table[q >> 4 & 0xF] * d);
    }
  }
}
