package io.gatun.models.image.webp;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.List;

/// A VP8L picture: pixels in prefix codes, as references to earlier pixels, or from a cache of
/// colours; before that, transforms have made them easier to write.
///
/// Source: WebP lossless bitstream specification.
final class Vp8l {
  private static final int SIGNATURE = 0x2F;
  private static final int HEADER = 5;
  private static final int LITERALS = 256;
  private static final int LENGTHS = 24;
  private static final int DISTANCES = 40;
  private static final int MOST_CACHE_BITS = 11;
  private static final int HASH = 0x1E35A7BD;

  /// By their codes.
  private static final List<Vp8lTransform.Kind> KINDS = List.of(Vp8lTransform.Kind.values());

  /// Where the nearest pixels lie: how far up in the higher four bits, 8 less how far left in the
  /// lower ones.
  private static final int[] AROUND = {
    0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1A, 0x26, 0x2A,
    0x38, 0x05, 0x37, 0x39, 0x15, 0x1B, 0x36, 0x3A, 0x25, 0x2B, 0x48, 0x04,
    0x47, 0x49, 0x14, 0x1C, 0x35, 0x3B, 0x46, 0x4A, 0x24, 0x2C, 0x58, 0x45,
    0x4B, 0x34, 0x3C, 0x03, 0x57, 0x59, 0x13, 0x1D, 0x56, 0x5A, 0x23, 0x2D,
    0x44, 0x4C, 0x55, 0x5B, 0x33, 0x3D, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1E,
    0x66, 0x6A, 0x22, 0x2E, 0x54, 0x5C, 0x43, 0x4D, 0x65, 0x6B, 0x32, 0x3E,
    0x78, 0x01, 0x77, 0x79, 0x53, 0x5D, 0x11, 0x1F, 0x64, 0x6C, 0x42, 0x4E,
    0x76, 0x7A, 0x21, 0x2F, 0x75, 0x7B, 0x31, 0x3F, 0x63, 0x6D, 0x52, 0x5E,
    0x00, 0x74, 0x7C, 0x41, 0x4F, 0x10, 0x20, 0x62, 0x6E, 0x30, 0x73, 0x7D,
    0x51, 0x5F, 0x40, 0x72, 0x7E, 0x61, 0x6F, 0x50, 0x71, 0x7F, 0x60, 0x70
  };

  /// The five codes of a part of the picture: of green, lengths and the cache; red; blue; alpha;
  /// distances.
  private record Codes(
      PrefixCode green, PrefixCode red, PrefixCode blue, PrefixCode alpha, PrefixCode distance) {
    static Codes read(BitReader in, int cacheSize) throws IOException {
      return new Codes(
          PrefixCode.read(in, LITERALS + LENGTHS + cacheSize),
          PrefixCode.read(in, LITERALS),
          PrefixCode.read(in, LITERALS),
          PrefixCode.read(in, LITERALS),
          PrefixCode.read(in, DISTANCES));
    }
  }

  /// A picture of colours as integers, alpha highest, then red, green, blue.
  record Colours(MemorySegment argb, int width, int height) {
    int get(long i) {
      return argb.getAtIndex(ValueLayout.JAVA_INT, i);
    }

    void set(long i, int value) {
      argb.setAtIndex(ValueLayout.JAVA_INT, i, value);
    }
  }

  private final BitReader in;
  private final int width;
  private final int height;
  private final boolean hasAlpha;

  private Vp8l(BitReader in, int width, int height, boolean hasAlpha) {
    this.in = in;
    this.width = width;
    this.height = height;
    this.hasAlpha = hasAlpha;
  }

  static Vp8l picture(MemorySegment data) throws IOException {
    if (data.byteSize() < HEADER || data.get(ValueLayout.JAVA_BYTE, 0) != SIGNATURE) {
      throw new IOException("its pixels do not begin as they should");
    }
    var in = new BitReader(data.asSlice(1));
    int width = 1 + in.read(14);
    int height = 1 + in.read(14);
    boolean alpha = in.flag();
    if (in.read(3) != 0) {
      throw new IOException("it is of a later version");
    }
    return new Vp8l(in, width, height, alpha);
  }

  /// Transparency, as the green of a picture without a header.
  static Vp8l alpha(MemorySegment data, int width, int height) {
    return new Vp8l(new BitReader(data), width, height, false);
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  boolean hasAlpha() {
    return hasAlpha;
  }

  /// Decodes the pixels.
  ///
  /// @param channels 3 or 4 bytes for each, or 1 for green alone
  void decode(MemorySegment out, int channels) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var transforms = new ArrayDeque<Vp8lTransform>();
      int stored = readTransforms(transforms, arena);
      var colours = readColours(stored, height, true, arena);
      for (var transform : transforms) {
        colours = transform.undo(colours, arena);
      }
      write(colours, out, channels);
    }
  }

  private static void write(Colours colours, MemorySegment out, int channels) {
    for (long i = 0; i < (long) colours.width * colours.height; i++) {
      int argb = colours.get(i);
      long at = i * channels;
      if (channels == 1) {
        out.set(ValueLayout.JAVA_BYTE, at, (byte) (argb >> 8));
        continue;
      }
      out.set(ValueLayout.JAVA_BYTE, at, (byte) (argb >> 16));
      out.set(ValueLayout.JAVA_BYTE, at + 1, (byte) (argb >> 8));
      out.set(ValueLayout.JAVA_BYTE, at + 2, (byte) argb);
      if (channels == 4) {
        out.set(ValueLayout.JAVA_BYTE, at + 3, (byte) (argb >> 24));
      }
    }
  }

  /// Reads what was done to the pixels, the last first.
  ///
  /// @return the width of the pixels as stored
  private int readTransforms(ArrayDeque<Vp8lTransform> transforms, Arena arena) throws IOException {
    int stored = width;
    var seen = EnumSet.noneOf(Vp8lTransform.Kind.class);
    while (in.flag()) {
      var kind = KINDS.get(in.read(2));
      if (!seen.add(kind)) {
        throw new IOException("its pixels are changed twice in the same way");
      }
      switch (kind) {
        case PREDICTOR, COLOUR -> {
          int bits = 2 + in.read(3);
          var parts = readColours(parts(stored, bits), parts(height, bits), false, arena);
          transforms.push(new Vp8lTransform(kind, bits, parts, stored));
        }
        case GREEN -> transforms.push(new Vp8lTransform(kind, 0, null, stored));
        case INDEX -> {
          int n = 1 + in.read(8);
          var palette = readColours(n, 1, false, arena);
          for (int i = 1; i < n; i++) {
            palette.set(i, Vp8lTransform.add(palette.get(i), palette.get(i - 1)));
          }
          int bits = n > 16 ? 0 : n > 4 ? 1 : n > 2 ? 2 : 3;
          transforms.push(new Vp8lTransform(kind, bits, palette, stored));
          stored = parts(stored, bits);
        }
      }
    }
    return stored;
  }

  /// How many squares of 2^bits pixels a side has.
  static int parts(int side, int bits) {
    return (side + (1 << bits) - 1) >> bits;
  }

  private Colours readColours(int w, int h, boolean mayHaveGroups, Arena arena) throws IOException {
    boolean hasCache = in.flag();
    int cacheBits = hasCache ? in.read(4) : 0;
    if (cacheBits > MOST_CACHE_BITS || (hasCache && cacheBits == 0)) {
      throw new IOException("its cache of colours makes no sense");
    }
    int groupBits = 0;
    Colours groups = null;
    int n = 1;
    if (mayHaveGroups && in.flag()) {
      groupBits = 2 + in.read(3);
      groups = readColours(parts(w, groupBits), parts(h, groupBits), false, arena);
      for (long i = 0; i < (long) groups.width * groups.height; i++) {
        n = Math.max(n, 1 + (groups.get(i) >> 8 & 0xFFFF));
      }
    }
    var codes = new Codes[n];
    for (int i = 0; i < n; i++) {
      codes[i] = Codes.read(in, cacheBits == 0 ? 0 : 1 << cacheBits);
    }
    var colours = new Colours(arena.allocate(4L * w * h, 64), w, h);
    readPixels(colours, codes, groups, groupBits, cacheBits);
    return colours;
  }

  private void readPixels(Colours out, Codes[] codes, Colours groups, int groupBits, int cacheBits)
      throws IOException {
    var cache = new int[1 << cacheBits];
    int shift = 32 - cacheBits;
    int w = out.width;
    long all = (long) w * out.height;
    long cached = 0;
    for (long at = 0; at < all; ) {
      in.check();
      int x = (int) (at % w);
      int y = (int) (at / w);
      // The same codes up to the end of the row or of the square.
      int end = groups == null ? w : Math.min(w, (x >> groupBits) + 1 << groupBits);
      var code =
          groups == null
              ? codes[0]
              : codes[
                  groups.get((long) (y >> groupBits) * groups.width + (x >> groupBits)) >> 8
                      & 0xFFFF];
      for (; x < end && at < all; x++) {
        int symbol = code.green.read(in);
        if (symbol < LITERALS) {
          int red = code.red.read(in);
          int blue = code.blue.read(in);
          int alpha = code.alpha.read(in);
          out.set(at++, alpha << 24 | red << 16 | symbol << 8 | blue);
        } else if (symbol < LITERALS + LENGTHS) {
          int length = number(symbol - LITERALS);
          long distance = distance(number(code.distance.read(in)), w);
          if (distance > at || length > all - at) {
            throw new IOException("it refers to pixels that there are not");
          }
          for (int i = 0; i < length; i++, at++) {
            out.set(at, out.get(at - distance));
          }
          break; // perhaps in another square
        } else {
          for (; cached < at; cached++) {
            cache[HASH * out.get(cached) >>> shift] = out.get(cached);
          }
          out.set(at++, cache[symbol - LITERALS - LENGTHS]);
        }
      }
    }
    in.check();
  }

  /// A number of which a symbol says the size, and bits the rest.
  private int number(int symbol) {
    if (symbol < 4) {
      return symbol + 1;
    }
    int bits = symbol - 2 >> 1;
    return (2 + (symbol & 1) << bits) + in.read(bits) + 1;
  }

  private static long distance(int code, int w) {
    if (code > AROUND.length) {
      return code - AROUND.length;
    }
    int place = AROUND[code - 1];
    return Math.max(1, (place >> 4) * (long) w + 8 - (place & 15));
  }
}
