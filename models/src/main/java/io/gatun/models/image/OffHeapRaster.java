package io.gatun.models.image;

import java.awt.Point;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/// Java's view of pixels outside the heap, so that a large picture is decoded into its place and
/// encoded from it row by row.
final class OffHeapRaster extends WritableRaster {
  private static final class Buffer extends DataBuffer {
    private final MemorySegment bytes;

    Buffer(MemorySegment bytes) {
      super(TYPE_BYTE, Math.toIntExact(bytes.byteSize()));
      this.bytes = bytes;
    }

    @Override
    public int getElem(int bank, int i) {
      return bytes.get(ValueLayout.JAVA_BYTE, i) & 0xFF;
    }

    @Override
    public void setElem(int bank, int i, int value) {
      bytes.set(ValueLayout.JAVA_BYTE, i, (byte) value);
    }
  }

  private final MemorySegment bytes;

  private OffHeapRaster(MemorySegment bytes, int width, int height, int channels) {
    super(
        new PixelInterleavedSampleModel(
            DataBuffer.TYPE_BYTE,
            width,
            height,
            channels,
            Math.multiplyExact(width, channels),
            IntStream.range(0, channels).toArray()),
        new Buffer(bytes),
        new Point());
    this.bytes = bytes;
  }

  /// A picture over (height, width, channels) bytes: grey, grey and alpha, RGB, or RGBA.
  static BufferedImage image(MemorySegment bytes, int width, int height, int channels) {
    boolean alpha = channels % 2 == 0;
    var model =
        new ComponentColorModel(
            ColorSpace.getInstance(channels < 3 ? ColorSpace.CS_GRAY : ColorSpace.CS_sRGB),
            alpha,
            false,
            alpha ? Transparency.TRANSLUCENT : Transparency.OPAQUE,
            DataBuffer.TYPE_BYTE);
    return new BufferedImage(model, new OffHeapRaster(bytes, width, height, channels), false, null);
  }

  /// What decoders call for each row.
  @Override
  public void setRect(int dx, int dy, Raster source) {
    int rowBytes = source.getWidth() * numBands;
    int x = source.getMinX() + dx;
    boolean fits = x >= 0 && x + source.getWidth() <= width;
    if (!fits || source.getTransferType() != DataBuffer.TYPE_BYTE) {
      super.setRect(dx, dy, source);
      return;
    }
    var row = new byte[rowBytes];
    for (int i = 0; i < source.getHeight(); i++) {
      int y = source.getMinY() + i + dy;
      if (y >= 0 && y < height) {
        source.getDataElements(source.getMinX(), source.getMinY() + i, source.getWidth(), 1, row);
        long at = ((long) y * width + x) * numBands;
        MemorySegment.copy(row, 0, bytes, ValueLayout.JAVA_BYTE, at, rowBytes);
      }
    }
  }
}
