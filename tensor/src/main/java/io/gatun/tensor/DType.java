package io.gatun.tensor;

import java.util.Arrays;

/// How a tensor's elements are stored.
///
/// Every type is a sequence of blocks: [#blockSize()] elements that lie along the innermost
/// dimension are stored together in [#blockBytes()] bytes. A plain type has blocks of one.
public sealed interface DType permits DType.Plain, DType.Block, DType.Tiled, DType.Unknown {
  /// The name used in messages and listings: `BF16`, `Q4_0`, `INT4_G32`.
  String name();

  int blockSize();

  int blockBytes();

  /// The bytes that a tensor of this type and shape takes without gaps.
  ///
  /// @throws IllegalArgumentException if the innermost dimension is not a whole number of blocks,
  ///   or the bytes overflow a long
  default long byteSize(Shape shape) {
    long inner = shape.rank() == 0 ? 1 : shape.dim(-1);
    if (inner % blockSize() != 0 && shape.size() % blockSize() != 0) {
      throw new IllegalArgumentException(
          "%s stores blocks of %d elements; the innermost dimension of %s is not a multiple of that"
              .formatted(name(), blockSize(), shape));
    }
    try {
      return Math.multiplyExact(shape.size() / blockSize(), (long) blockBytes());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "a %s tensor of shape %s has more bytes than a long counts".formatted(name(), shape), e);
    }
  }

  /// Elements that stand by themselves (and the packed F4 and F6 types of safetensors, which share
  /// bytes). C64 is a pair of F32.
  enum Plain implements DType {
    F64(1, 8),
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    F8_E4M3(1, 1),
    F8_E5M2(1, 1),
    F8_E8M0(1, 1),
    F6_E2M3(4, 3),
    F6_E3M2(4, 3),
    F4(2, 1),
    C64(1, 8),
    I64(1, 8),
    I32(1, 4),
    I16(1, 2),
    I8(1, 1),
    U64(1, 8),
    U32(1, 4),
    U16(1, 2),
    U8(1, 1),
    BOOL(1, 1);

    private final int blockSize;
    private final int blockBytes;

    Plain(int blockSize, int blockBytes) {
      this.blockSize = blockSize;
      this.blockBytes = blockBytes;
    }

    @Override
    public int blockSize() {
      return blockSize;
    }

    @Override
    public int blockBytes() {
      return blockBytes;
    }
  }

  /// The block formats of GGUF, as laid out in ggml's `ggml-common.h`; the constants' names are
  /// ggml's. MXFP4_PAIRS is not GGUF's but safetensors': a block is 32 values of F4, two to a byte,
  /// the first in the low nibble; the blocks' scales are in a tensor of their own, see
  /// [Tensor#scaled]. CODE4 is neither's: places in a table of sixteen numbers, two to a byte, the
  /// first in its high half; the table and the scales are elsewhere, see [Dequantization].
  enum Block implements DType {
    Q4_0(32, 18),
    Q4_1(32, 20),
    Q5_0(32, 22),
    Q5_1(32, 24),
    Q8_0(32, 34),
    Q8_1(32, 36),
    Q2_K(256, 84),
    Q3_K(256, 110),
    Q4_K(256, 144),
    Q5_K(256, 176),
    Q6_K(256, 210),
    Q8_K(256, 292),
    IQ2_XXS(256, 66),
    IQ2_XS(256, 74),
    IQ3_XXS(256, 98),
    IQ1_S(256, 50),
    IQ4_NL(32, 18),
    IQ3_S(256, 110),
    IQ2_S(256, 82),
    IQ4_XS(256, 136),
    IQ1_M(256, 56),
    TQ1_0(256, 54),
    TQ2_0(256, 66),
    MXFP4(32, 17),
    NVFP4(64, 36),
    Q1_0(128, 18),
    Q2_0(64, 18),
    MXFP4_PAIRS(32, 16),
    CODE4(2, 1);

    private final int blockSize;
    private final int blockBytes;

    Block(int blockSize, int blockBytes) {
      this.blockSize = blockSize;
      this.blockBytes = blockBytes;
    }

    @Override
    public int blockSize() {
      return blockSize;
    }

    @Override
    public int blockBytes() {
      return blockBytes;
    }
  }

  /// A type that a file names and nothing here knows: such a tensor is bytes that can be counted.
  ///
  /// @param name what the file calls it
  /// @param bytes how many the tensor has
  record Unknown(String name, long bytes) implements DType {
    @Override
    public int blockSize() {
      return 1;
    }

    @Override
    public int blockBytes() {
      return 1;
    }

    @Override
    public long byteSize(Shape shape) {
      return bytes;
    }
  }

  /// Gatun's own group-wise integers: 32 rows side by side, so that one vector holds many rows.
  ///
  /// A matrix (N, K) is cut into tiles of 32 rows by `groupSize` columns; the last tile of rows is
  /// padded with zeros. Lane 2i of a tile is row i and lane 2i+1 is row 16+i. A tile is its scales,
  /// 32 F16 in lane order, followed by its integers: for 4 bits `[groupSize / 4][32]` 16-bit words,
  /// each the nibbles (value + 8) of columns k..k+3 of one row, lowest first; for 8 bits
  /// `[groupSize / 2][32]` words, each two signed bytes in -127..127.
  ///
  /// With minima, which is Q4_K in another order, a tile is 32 rows by 256 columns: 32 F16 scales d
  /// and 32 F16 scales m, in lane order, then for each of its eight groups 32 pairs of bytes (s, n)
  /// in lane order and the group's words, whose nibbles are q = 0..15. The value is `d s q - m n`.
  ///
  /// With levels, which is what GGUF's types of one to three bits become, a tile is 32 rows by 256
  /// columns, too: 32 F16 d, then for each 32 columns 32 pairs of signed bytes s, of the first and
  /// of the last sixteen, and the words, whose nibbles are places in a table of sixteen integers.
  /// The value is `factor d s level`.
  ///
  /// Kernels read whole words of 64 bytes: a matrix should begin at a multiple of that.
  ///
  /// @param bits 4 or 8
  /// @param groupSize columns that share a scale: 32, 64 or 128; 32 with minima, 16 with levels
  record Tiled(int bits, int groupSize, Form form) implements DType {
    /// Rows in a tile.
    public static final int ROWS = 32;

    /// What the integers mean.
    public enum Form {
      /// Themselves.
      PLAIN(1),
      /// Themselves, less a minimum of the group.
      MINIMA(1),
      IQ1(0.125f, -9, -7, -1, 1, 7, 9),
      IQ2(0.125f, 8, 25, 43, -8, -25, -43),
      IQ3_XXS(0.25f, 4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62),
      IQ3_S(1, 1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15),
      Q3_K(1, -4, -3, -2, -1, 0, 1, 2, 3);

      private final float factor;
      private final int[] levels;

      Form(float factor, int... levels) {
        this.factor = factor;
        this.levels = levels.length == 0 ? levels : Arrays.copyOf(levels, 16);
      }

      /// Of the whole matrix.
      public float factor() {
        return factor;
      }

      /// Whether integers are places in a table.
      public boolean hasLevels() {
        return levels.length > 0;
      }

      /// The integer, of magnitude 62 at most, that a place 0..15 of the table has.
      public int level(int place) {
        return levels[place];
      }
    }

    public Tiled {
      if (bits != 4 && bits != 8) {
        throw new IllegalArgumentException("bits is " + bits + "; need 4 or 8");
      }
      int only = form == Form.MINIMA ? 32 : form == Form.PLAIN ? groupSize : 16;
      if (form != Form.PLAIN && (bits != 4 || groupSize != only)) {
        throw new IllegalArgumentException("%s has 4 bits, in groups of %d".formatted(form, only));
      }
      if (form == Form.PLAIN && groupSize != 32 && groupSize != 64 && groupSize != 128) {
        throw new IllegalArgumentException(
            "groups of " + groupSize + " weights; need 32, 64 or 128");
      }
    }

    /// What the compiler would make takes a twentieth of a second when it is first called.
    @Override
    public boolean equals(Object other) {
      return other instanceof Tiled t
          && bits == t.bits
          && groupSize == t.groupSize
          && form == t.form;
    }

    @Override
    public int hashCode() {
      return 31 * (31 * bits + groupSize) + form.hashCode();
    }

    /// Integers with a scale.
    public Tiled(int bits, int groupSize) {
      this(bits, groupSize, Form.PLAIN);
    }

    /// Four bits that mean something else.
    public static Tiled of(Form form) {
      return new Tiled(4, form == Form.MINIMA ? 32 : 16, form);
    }

    /// Whether groups have a minimum besides their scale.
    public boolean minima() {
      return form == Form.MINIMA;
    }

    /// Whether integers are places in a table.
    public boolean hasLevels() {
      return form.hasLevels();
    }

    /// The type that [#name()] is the name of.
    ///
    /// @throws IllegalArgumentException if there is none
    public static Tiled parse(String name) {
      for (var form : Form.values()) {
        if (form != Form.PLAIN && of(form).name().equals(name)) {
          return of(form);
        }
      }
      for (int bits : new int[] {4, 8}) {
        for (int groupSize : new int[] {32, 64, 128}) {
          var type = new Tiled(bits, groupSize);
          if (type.name().equals(name)) {
            return type;
          }
        }
      }
      throw new IllegalArgumentException(
          "no tiled type \""
              + name
              + "\"; need INT4_G32, INT8_G32, or with G64 or G128, or "
              + of(Form.MINIMA).name());
    }

    @Override
    public String name() {
      String meaning = minima() ? "_MIN" : hasLevels() ? "_" + form : "";
      return "INT" + bits + "_G" + groupSize + meaning;
    }

    @Override
    public int blockSize() {
      return form == Form.PLAIN ? groupSize : 256;
    }

    /// The bytes of one row's share of a tile.
    @Override
    public int blockBytes() {
      int head = minima() ? 4 : 2;
      return form == Form.PLAIN ? groupSize * bits / 8 + 2 : head + 8 * (2 + 16);
    }

    @Override
    public long byteSize(Shape shape) {
      if (shape.rank() != 2 || shape.dim(1) % blockSize() != 0) {
        throw new IllegalArgumentException(
            "%s stores matrices whose columns are a multiple of %d; shape is %s"
                .formatted(name(), blockSize(), shape));
      }
      long tiles = Math.ceilDiv(shape.dim(0), (long) ROWS);
      return Math.multiplyExact(
          Math.multiplyExact(tiles * ROWS, shape.dim(1) / blockSize()), (long) blockBytes());
    }
  }
}
