package io.gatun.server.labelstudio;

import io.gatun.models.sam.Mask;
import java.io.ByteArrayOutputStream;

/// A mask as Label Studio's brush stores it: the bytes of an RGBA image, 0 or 255, in runs packed
/// into bits.
///
/// Source: rle-pack of thi.ng/umbrella: 32 bits for the number of values, 5 for the bits of a value
/// less 1, 4 for each of four sizes of run lengths less 1; then for each run a 1, two bits for the
/// size of its length, its length less 1, and the value.
final class BrushRle {
  private static final int CHANNELS = 4;
  private static final int VALUE = 8;
  private static final int[] SIZES = {3, 4, 8, 16};

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private long pending;
  private int count;

  private BrushRle() {}

  static byte[] encode(Mask mask) {
    var out = new BrushRle();
    out.write((long) mask.width() * mask.height() * CHANNELS, Integer.SIZE);
    out.write(VALUE - 1, 5);
    for (int size : SIZES) {
      out.write(size - 1, 4);
    }
    boolean value = mask.get(0, 0);
    long run = 0;
    for (int y = 0; y < mask.height(); y++) {
      for (int x = 0; x < mask.width(); x++) {
        if (mask.get(x, y) != value) {
          out.run(value, run);
          value = !value;
          run = 0;
        }
        run += CHANNELS;
      }
    }
    out.run(value, run);
    out.write(0, Byte.SIZE - out.count % Byte.SIZE);
    return out.bytes.toByteArray();
  }

  private void run(boolean value, long length) {
    for (long left = length; left > 0; ) {
      int size = 0;
      while (size < SIZES.length - 1 && left > 1 << SIZES[size]) {
        size++;
      }
      int part = (int) Math.min(left, 1 << SIZES[size]);
      write(1, 1);
      write(size, 2);
      write(part - 1, SIZES[size]);
      write(value ? 255 : 0, VALUE);
      left -= part;
    }
  }

  private void write(long bits, int n) {
    pending = pending << n | bits;
    count += n;
    while (count >= Byte.SIZE) {
      count -= Byte.SIZE;
      bytes.write((int) (pending >>> count));
    }
    pending &= (1L << count) - 1;
  }
}
