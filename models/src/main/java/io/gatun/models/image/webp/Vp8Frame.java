package io.gatun.models.image.webp;

import io.gatun.models.image.webp.Vp8Header.Steps;
import io.gatun.models.image.webp.Vp8Header.Strength;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// A VP8 key frame: macroblocks of 16 x 16 pixels, each predicted from its neighbours and
/// corrected, then smoothed along its edges.
///
/// Source: RFC 6386.
final class Vp8Frame {
  /// Luminance, or one of the two colours at half the size; sides are whole macroblocks.
  record Plane(MemorySegment bytes, int stride) {}

  private static final int TAG = 3;
  private static final int START = 10;

  /// The pixels of a macroblock being made, with those above and at the left of it, in one array:
  /// luminance, then both colours.
  private static final int STRIDE = 32;

  private static final int Y = STRIDE + 8;
  private static final int U = 18 * STRIDE + 8;
  private static final int V = 27 * STRIDE + 8;

  private final MemorySegment data;
  private final int width;
  private final int height;
  private final int columns;
  private final int rows;

  private Vp8Header header;
  private BoolDecoder modes;
  private BoolDecoder[] tokens;
  private Vp8Coefficients coefficients;

  private final byte[] pixels = new byte[36 * STRIDE];
  private final Vp8Prediction prediction = new Vp8Prediction(pixels, STRIDE);
  private Plane[] planes;

  /// Above each macroblock, before it is smoothed: 16 pixels of luminance and 8 of each colour.
  private byte[] above;

  /// Modes of the 4 x 4 blocks above and at the left.
  private byte[] modesAbove;

  private final byte[] modesLeft = new byte[4];
  private final byte[] subblockModes = new byte[16];

  /// Whether blocks above and at the left hold coefficients: 4 of luminance, 2 of each colour, and
  /// the second order.
  private byte[] filledAbove;

  private final byte[] filledLeft = new byte[9];

  /// How each macroblock is smoothed: 4 for a segment, 2 for 4 x 4 modes, 1 for inside, too.
  private byte[] smoothing;

  /// @throws IOException if the data do not begin with a key frame
  Vp8Frame(MemorySegment data) throws IOException {
    this.data = data;
    if (data.byteSize() < START) {
      throw new EOFException("it ends before its pixels");
    }
    if ((u(0) & 1) != 0 || u(3) != 0x9D || u(4) != 0x01 || u(5) != 0x2A) {
      throw new IOException("its pixels do not begin with a key frame");
    }
    width = u(6) | (u(7) & 0x3F) << 8;
    height = u(8) | (u(9) & 0x3F) << 8;
    if (width == 0 || height == 0) {
      throw new IOException("it has no pixels");
    }
    columns = Math.ceilDiv(width, 16);
    rows = Math.ceilDiv(height, 16);
  }

  private int u(long at) {
    return data.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  /// Writes RGB pixels, in `channels` bytes each.
  void decode(MemorySegment out, int channels) throws IOException {
    long first = (u(0) | u(1) << 8 | u(2) << 16) >> 5;
    if (first > data.byteSize() - START) {
      throw new EOFException("it ends before its pixels");
    }
    modes = new BoolDecoder(data.asSlice(START, first));
    header = new Vp8Header(modes);
    openPartitions(START + first);
    coefficients = new Vp8Coefficients(header.probabilities);
    try (var arena = Arena.ofConfined()) {
      planes = new Plane[3];
      for (int i = 0; i < 3; i++) {
        int side = i == 0 ? 16 : 8;
        long bytes = (long) columns * side * rows * side;
        planes[i] = new Plane(arena.allocate(bytes), columns * side);
      }
      above = new byte[columns * 32];
      modesAbove = new byte[columns * 4];
      filledAbove = new byte[columns * 9];
      smoothing = new byte[columns * rows];
      for (int row = 0; row < rows; row++) {
        decodeRow(row);
      }
      smooth();
      new Vp8Colours(planes, width, height).write(out, channels);
    }
  }

  private void openPartitions(long sizes) throws IOException {
    int n = header.partitions;
    long at = sizes + TAG * (n - 1L);
    if (at > data.byteSize()) {
      throw new EOFException("it ends before its pixels");
    }
    tokens = new BoolDecoder[n];
    for (int i = 0; i < n; i++) {
      long left = data.byteSize() - at;
      long s = sizes + (long) TAG * i;
      long size = i == n - 1 ? left : u(s) | u(s + 1) << 8 | u(s + 2) << 16;
      tokens[i] = new BoolDecoder(data.asSlice(at, Math.min(size, left)));
      at += Math.min(size, left);
    }
  }

  private void decodeRow(int row) throws IOException {
    Arrays.fill(modesLeft, (byte) 0);
    Arrays.fill(filledLeft, (byte) 0);
    var in = tokens[row & header.partitions - 1];
    for (int column = 0; column < columns; column++) {
      decodeMacroblock(row, column, in);
      modes.check();
      in.check();
    }
  }

  private void decodeMacroblock(int row, int column, BoolDecoder in) {
    int segment = header.hasSegmentMap ? readSegment() : 0;
    boolean empty = header.skipProbability >= 0 && modes.read(header.skipProbability);
    boolean whole = modes.read(145);
    int mode = whole ? readMode(column) : readSubblockModes(column);
    int colourMode = readColourMode();
    if (empty) {
      clearFilled(column, whole);
    } else {
      empty = !readCoefficients(column, whole, header.steps[segment], in);
    }
    boolean inside = !whole || !empty;
    smoothing[row * columns + column] = (byte) (segment << 2 | (whole ? 0 : 2) | (inside ? 1 : 0));
    fetchNeighbours(row, column);
    predict(row, column, whole, mode, empty);
    predictColours(row, column, colourMode, empty);
    store(row, column);
  }

  private int readSegment() {
    int[] p = header.segmentProbabilities;
    return modes.read(p[0]) ? 2 + (modes.read(p[2]) ? 1 : 0) : modes.read(p[1]) ? 1 : 0;
  }

  private int readMode(int column) {
    int mode;
    if (modes.read(156)) {
      mode = modes.read(128) ? Vp8Prediction.TM : Vp8Prediction.H;
    } else {
      mode = modes.read(163) ? Vp8Prediction.V : Vp8Prediction.DC;
    }
    Arrays.fill(modesLeft, (byte) mode);
    Arrays.fill(modesAbove, 4 * column, 4 * column + 4, (byte) mode);
    return mode;
  }

  private int readSubblockModes(int column) {
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        int neighbours = modesAbove[4 * column + x] * Vp8Tables.SUBBLOCK_MODES + modesLeft[y];
        byte mode = (byte) readSubblockMode(neighbours * 9);
        modesAbove[4 * column + x] = mode;
        modesLeft[y] = mode;
        subblockModes[4 * y + x] = mode;
      }
    }
    return 0;
  }

  /// Walks the tree of section 11.2; modes are numbered as there.
  private int readSubblockMode(int at) {
    int[] p = Vp8Tables.MODE_PROBABILITIES;
    if (!modes.read(p[at])) {
      return 0;
    }
    if (!modes.read(p[at + 1])) {
      return 1;
    }
    if (!modes.read(p[at + 2])) {
      return 2;
    }
    if (!modes.read(p[at + 3])) {
      return !modes.read(p[at + 4]) ? 3 : modes.read(p[at + 5]) ? 6 : 5;
    }
    if (!modes.read(p[at + 6])) {
      return 4;
    }
    return !modes.read(p[at + 7]) ? 7 : modes.read(p[at + 8]) ? 9 : 8;
  }

  private int readColourMode() {
    if (!modes.read(142)) {
      return Vp8Prediction.DC;
    }
    return !modes.read(114)
        ? Vp8Prediction.V
        : modes.read(183) ? Vp8Prediction.TM : Vp8Prediction.H;
  }

  private void clearFilled(int column, boolean whole) {
    int n = whole ? 9 : 8; // without a second order its last one counts on
    Arrays.fill(filledLeft, 0, n, (byte) 0);
    Arrays.fill(filledAbove, 9 * column, 9 * column + n, (byte) 0);
  }

  /// Whether there are any.
  private boolean readCoefficients(int column, boolean whole, Steps steps, BoolDecoder in) {
    Arrays.fill(coefficients.values, 0);
    int up = 9 * column;
    int first = 0;
    boolean any = false;
    if (whole) {
      int n =
          coefficients.read(
              in,
              1,
              filledAbove[up + 8] + filledLeft[8],
              0,
              Vp8Coefficients.SECOND_ORDER,
              steps.y2Dc(),
              steps.y2Ac());
      filledAbove[up + 8] = filledLeft[8] = (byte) (n > 0 ? 1 : 0);
      any = n > 0;
      coefficients.spreadSecondOrder();
      first = 1;
    }
    for (int block = 0; block < 24; block++) {
      boolean colour = block >= 16;
      int plane = colour ? 4 + 2 * (block - 16 >> 2) : 0;
      int x = plane + (colour ? block & 1 : block & 3);
      int y = plane + (colour ? block >> 1 & 1 : block >> 2);
      int n =
          coefficients.read(
              in,
              colour ? 2 : whole ? 0 : 3,
              filledAbove[up + x] + filledLeft[y],
              colour ? 0 : first,
              block,
              colour ? steps.uvDc() : steps.y1Dc(),
              colour ? steps.uvAc() : steps.y1Ac());
      boolean filled = n > (colour ? 0 : first);
      filledAbove[up + x] = filledLeft[y] = (byte) (filled ? 1 : 0);
      any |= filled;
    }
    return any;
  }

  /// Puts the pixels above and at the left of a macroblock around its place.
  private void fetchNeighbours(int row, int column) {
    fetchNeighbours(Y, 16, 0, row, column);
    fetchNeighbours(U, 8, 16, row, column);
    fetchNeighbours(V, 8, 24, row, column);
    // The blocks at the right end have all the same pixels above and to the right of them.
    int right = Y - STRIDE + 16;
    if (row == 0) {
      Arrays.fill(pixels, right, right + 4, (byte) 127);
    } else if (column == columns - 1) {
      Arrays.fill(pixels, right, right + 4, above[column * 32 + 15]);
    } else {
      System.arraycopy(above, (column + 1) * 32, pixels, right, 4);
    }
    for (int y = 3; y < 15; y += 4) {
      System.arraycopy(pixels, right, pixels, Y + y * STRIDE + 16, 4);
    }
  }

  private void fetchNeighbours(int at, int size, int inAbove, int row, int column) {
    for (int y = -1; y < size; y++) {
      int left = at + y * STRIDE - 1;
      pixels[left] = column > 0 ? pixels[left + size] : y < 0 && row == 0 ? (byte) 127 : (byte) 129;
    }
    if (row == 0) {
      Arrays.fill(pixels, at - STRIDE, at - STRIDE + size, (byte) 127);
    } else {
      System.arraycopy(above, column * 32 + inAbove, pixels, at - STRIDE, size);
    }
  }

  private void predict(int row, int column, boolean whole, int mode, boolean empty) {
    if (whole) {
      prediction.square(mode, Y, 16, row > 0, column > 0);
    }
    for (int block = 0; block < 16; block++) {
      int at = Y + (block >> 2) * 4 * STRIDE + (block & 3) * 4;
      if (!whole) {
        prediction.subblock(subblockModes[block], at);
      }
      if (!empty) {
        coefficients.add(block, pixels, at, STRIDE);
      }
    }
  }

  private void predictColours(int row, int column, int mode, boolean empty) {
    for (int at : new int[] {U, V}) {
      prediction.square(mode, at, 8, row > 0, column > 0);
      for (int block = 0; block < 4 && !empty; block++) {
        int inBlock = at + (block >> 1) * 4 * STRIDE + (block & 1) * 4;
        coefficients.add((at == U ? 16 : 20) + block, pixels, inBlock, STRIDE);
      }
    }
  }

  private void store(int row, int column) {
    store(planes[0], Y, 16, row, column);
    store(planes[1], U, 8, row, column);
    store(planes[2], V, 8, row, column);
    System.arraycopy(pixels, Y + 15 * STRIDE, above, column * 32, 16);
    System.arraycopy(pixels, U + 7 * STRIDE, above, column * 32 + 16, 8);
    System.arraycopy(pixels, V + 7 * STRIDE, above, column * 32 + 24, 8);
  }

  private void store(Plane plane, int at, int size, int row, int column) {
    for (int y = 0; y < size; y++) {
      long to = (long) (row * size + y) * plane.stride + column * size;
      MemorySegment.copy(pixels, at + y * STRIDE, plane.bytes, ValueLayout.JAVA_BYTE, to, size);
    }
  }

  private void smooth() {
    var filter = new Vp8LoopFilter(planes, header.simpleFilter);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        int how = smoothing[row * columns + column];
        Strength strength = header.strengths[how >> 2][how >> 1 & 1];
        if (strength.limit() > 0) {
          filter.smooth(row, column, strength, (how & 1) != 0);
        }
      }
    }
  }
}
