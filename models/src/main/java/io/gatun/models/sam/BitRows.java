package io.gatun.models.sam;

/// Rows of bits in 64-bit words: bit `x` of a row is bit `x % 64` of its word `x / 64`, and what is
/// left of the last word is 0.
final class BitRows {
  private BitRows() {}

  /// The words of a row.
  static int stride(int columns) {
    return (columns + 63) >>> 6;
  }

  /// Sets the bits `from` (inclusive) to `to` (exclusive) of the row that begins at word `start`.
  static void setRange(long[] words, int start, int from, int to) {
    for (int x = from; x < to; ) {
      int end = Math.min(to, (x | 63) + 1);
      words[start + (x >>> 6)] |= (-1L >>> (64 - (end - x))) << x;
      x = end;
    }
  }

  /// The matrix with rows and columns exchanged.
  static long[] transpose(long[] words, int rows, int columns) {
    int stride = stride(columns);
    int outStride = stride(rows);
    var out = new long[columns * outStride];
    var block = new long[64];
    for (int r = 0; r < rows; r += 64) {
      int height = Math.min(64, rows - r);
      for (int c = 0; c < stride; c++) {
        long any = 0;
        for (int i = 0; i < 64; i++) {
          block[i] = i < height ? words[(r + i) * stride + c] : 0;
          any |= block[i];
        }
        if (any == 0) {
          continue;
        }
        transposeBlock(block);
        int width = Math.min(64, columns - 64 * c);
        for (int i = 0; i < width; i++) {
          out[(64 * c + i) * outStride + (r >>> 6)] = block[i];
        }
      }
    }
    return out;
  }

  /// Exchanges ever smaller quarters (Warren, Hacker's Delight, section 7-3).
  private static void transposeBlock(long[] b) {
    long mask = 0xFFFFFFFFL;
    for (int j = 32; j > 0; j >>= 1, mask ^= mask << j) {
      for (int k = 0; k < 64; k = (k + j + 1) & ~j) {
        long t = ((b[k] >>> j) ^ b[k + j]) & mask;
        b[k + j] ^= t;
        b[k] ^= t << j;
      }
    }
  }
}
