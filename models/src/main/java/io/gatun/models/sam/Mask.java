package io.gatun.models.sam;

import io.gatun.models.image.Image;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/// Which pixels of an image belong to an object.
///
/// It takes a bit for each pixel and never changes.
public final class Mask {
  /// The widest soft edge of a cutout.
  public static final int MAX_FEATHER = 1000;

  private final int width;
  private final int height;
  private final float score;
  private final long[] words;

  /// @param words (height, [BitRows#stride]) which nobody changes from now on
  Mask(int width, int height, float score, long[] words) {
    this.width = width;
    this.height = height;
    this.score = score;
    this.words = words;
  }

  /// The mask of the pixels that are lighter than 127 in the first channel of an image, as
  /// [#toImage] draws one.
  public static Mask of(Image image) {
    int stride = BitRows.stride(image.width());
    var words = new long[image.height() * stride];
    for (int y = 0; y < image.height(); y++) {
      for (int x = 0; x < image.width(); x++) {
        if (image.get(x, y, 0) > 127) {
          words[y * stride + (x >>> 6)] |= 1L << x;
        }
      }
    }
    return new Mask(image.width(), image.height(), Float.NaN, words);
  }

  /// The mask of the pixels inside any of some polygons, as COCO counts them (`rleFrPoly`).
  ///
  /// @param polygons the corners of each: x and y by turns, in pixels, (0, 0) being the image's top
  ///   left corner
  /// @throws IllegalArgumentException if there are none, or one has fewer than three corners or
  ///   lies far outside
  public static Mask ofPolygons(int width, int height, List<double[]> polygons) {
    return PolygonFill.union(width, height, polygons);
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /// How good the model thinks that the mask is: its intersection over union with the true one, as
  /// the model predicts it, at times a little more than 1; NaN if no model said.
  public float score() {
    return score;
  }

  long[] words() {
    return words;
  }

  /// Whether a pixel belongs to the object.
  ///
  /// @throws IndexOutOfBoundsException if there is no such pixel
  public boolean get(int x, int y) {
    Objects.checkIndex(x, width);
    Objects.checkIndex(y, height);
    return (words[y * BitRows.stride(width) + (x >>> 6)] >>> x & 1) != 0;
  }

  /// The number of the object's pixels.
  public int area() {
    int area = 0;
    for (long word : words) {
      area += Long.bitCount(word);
    }
    return area;
  }

  /// The smallest box around the object: the first and last column and row that it touches, x0, y0,
  /// x1, y1, or four zeros if there is none (`batched_mask_to_box`).
  public int[] box() {
    int stride = BitRows.stride(width);
    var columns = new long[stride];
    int top = height;
    int bottom = -1;
    for (int y = 0; y < height; y++) {
      long any = 0;
      for (int i = 0; i < stride; i++) {
        long word = words[y * stride + i];
        columns[i] |= word;
        any |= word;
      }
      if (any != 0) {
        top = Math.min(top, y);
        bottom = y;
      }
    }
    if (bottom < 0) {
      return new int[4];
    }
    int first = 0;
    while (columns[first] == 0) {
      first++;
    }
    int last = stride - 1;
    while (columns[last] == 0) {
      last--;
    }
    return new int[] {
      64 * first + Long.numberOfTrailingZeros(columns[first]),
      top,
      64 * last + 63 - Long.numberOfLeadingZeros(columns[last]),
      bottom
    };
  }

  /// The box as x, y, width and height, which are distances between pixels: one less than their
  /// number, as in the reference.
  public int[] bbox() {
    int[] box = box();
    return new int[] {box[0], box[1], box[2] - box[0], box[3] - box[1]};
  }

  /// The pixels that both masks have over those that one of them has; 0 if both are empty.
  ///
  /// @throws IllegalArgumentException if the other mask has another size
  public double iou(Mask other) {
    if (other.width != width || other.height != height) {
      throw new IllegalArgumentException(this + " has not the size of " + other);
    }
    long both = 0;
    long either = 0;
    for (int i = 0; i < words.length; i++) {
      both += Long.bitCount(words[i] & other.words[i]);
      either += Long.bitCount(words[i] | other.words[i]);
    }
    return either == 0 ? 0 : (double) both / either;
  }

  /// The mask without holes of fewer than `minArea` pixels, which hang together by edges and
  /// corners (`remove_small_regions`); the same object if there are none.
  public Mask withoutHoles(int minArea) {
    return SmallRegions.fillHoles(this, minArea);
  }

  /// The mask without islands of fewer than `minArea` pixels; if all are so small, the largest
  /// stays (`remove_small_regions`). The same object if there are none.
  public Mask withoutIslands(int minArea) {
    return SmallRegions.removeIslands(this, minArea);
  }

  /// The mask in COCO's run lengths.
  public Rle rle() {
    return Rle.of(this);
  }

  /// The lines around the mask's parts and their holes, from the top.
  public List<Polygon> polygons() {
    return Outlines.of(this);
  }

  /// The mask as part of a larger image, whose pixel (x0, y0) is its first one (`uncrop_masks`).
  ///
  /// @throws IllegalArgumentException if it reaches outside
  public Mask uncrop(int x0, int y0, int newWidth, int newHeight) {
    if (x0 < 0 || y0 < 0 || width > newWidth - x0 || height > newHeight - y0) {
      throw new IllegalArgumentException(
          "%s at %d,%d reaches outside an image of %d x %d pixels"
              .formatted(this, x0, y0, newWidth, newHeight));
    }
    if (width == newWidth && height == newHeight) {
      return this;
    }
    int stride = BitRows.stride(width);
    int newStride = BitRows.stride(newWidth);
    int shift = x0 & 63;
    var out = new long[newHeight * newStride];
    for (int y = 0; y < height; y++) {
      int to = (y0 + y) * newStride + (x0 >>> 6);
      for (int i = 0; i < stride; i++) {
        long word = words[y * stride + i];
        out[to + i] |= word << shift;
        // Only bits of the row are set, so what is carried over still lies in the new row.
        if (shift != 0 && word >>> (64 - shift) != 0) {
          out[to + i + 1] |= word >>> (64 - shift);
        }
      }
    }
    return new Mask(newWidth, newHeight, score, out);
  }

  /// The mask in grey: 255 on the object, 0 elsewhere.
  public Image toImage() {
    var pixels = Arena.ofAuto().allocate((long) width * height);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        if (get(x, y)) {
          pixels.set(ValueLayout.JAVA_BYTE, (long) y * width + x, (byte) 255);
        }
      }
    }
    return Image.of(width, height, 1, pixels);
  }

  /// The object cut out of an image, RGBA, with soft edges: how opaque a pixel is, is the mean of
  /// the mask around it.
  ///
  /// @param feather how far around, in pixels, 0 to [#MAX_FEATHER]
  /// @throws IllegalArgumentException if the image has not the mask's size
  public Image cutout(Image image, int feather) {
    Objects.checkIndex(feather, MAX_FEATHER + 1);
    if (feather == 0) {
      return cutout(image);
    }
    checkSize(image.width(), image.height());
    Image rgb = image.rgb();
    var pixels = Arena.ofAuto().allocate((long) width * height * 4);
    var columns = new int[width]; // pixels of the mask in the window's rows
    for (int y = -feather; y < height; y++) {
      addRow(columns, y + feather, 1);
      addRow(columns, y - feather - 1, -1);
      for (int x = -feather, inside = 0; y >= 0 && x < width; x++) {
        inside += x + feather < width ? columns[x + feather] : 0;
        inside -= x - feather - 1 >= 0 ? columns[x - feather - 1] : 0;
        if (x >= 0 && inside > 0) {
          int down = Math.min(height - 1, y + feather) - Math.max(0, y - feather) + 1;
          int across = Math.min(width - 1, x + feather) - Math.max(0, x - feather) + 1;
          long i = (long) y * width + x;
          MemorySegment.copy(rgb.pixels(), 3 * i, pixels, 4 * i, 3);
          byte alpha = (byte) Math.round(255.0 * inside / (down * across));
          pixels.set(ValueLayout.JAVA_BYTE, 4 * i + 3, alpha);
        }
      }
    }
    return Image.of(width, height, 4, pixels);
  }

  private void addRow(int[] columns, int y, int sign) {
    for (int x = 0; y >= 0 && y < height && x < width; x++) {
      columns[x] += get(x, y) ? sign : 0;
    }
  }

  /// The object cut out of an image, RGBA, transparent everywhere else.
  ///
  /// @throws IllegalArgumentException if the image has not the mask's size
  public Image cutout(Image image) {
    checkSize(image.width(), image.height());
    Image rgb = image.rgb();
    var pixels = Arena.ofAuto().allocate((long) width * height * 4);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        if (get(x, y)) {
          long i = (long) y * width + x;
          MemorySegment.copy(rgb.pixels(), 3 * i, pixels, 4 * i, 3);
          pixels.set(ValueLayout.JAVA_BYTE, 4 * i + 3, (byte) 255);
        }
      }
    }
    return Image.of(width, height, 4, pixels);
  }

  public void checkSize(int imageWidth, int imageHeight) {
    if (imageWidth != width || imageHeight != height) {
      throw new IllegalArgumentException(
          "a mask of %d x %d pixels does not fit an image of %d x %d"
              .formatted(width, height, imageWidth, imageHeight));
    }
  }

  /// The image with the object coloured.
  ///
  /// @throws IllegalArgumentException if the image has not the mask's size
  public Image overlay(Image image) {
    return new Overlay(image).add(this).toImage();
  }

  /// Shows the mask in a window, or, where there is no display, writes it to a temporary PNG file.
  ///
  /// @return which of the two was done, in words
  public String show() {
    return toImage().show();
  }

  /// The same pixels with another score are another mask.
  @Override
  public boolean equals(Object o) {
    return o instanceof Mask m
        && m.width == width
        && m.height == height
        && Float.compare(m.score, score) == 0
        && Arrays.equals(m.words, words);
  }

  @Override
  public int hashCode() {
    return Objects.hash(width, height, score, Arrays.hashCode(words));
  }

  /// `Mask(640 x 480, 12345 pixels, score 0.93)`.
  @Override
  public String toString() {
    return "Mask(%d x %d, %d pixels%s)"
        .formatted(
            width,
            height,
            area(),
            Float.isNaN(score) ? "" : String.format(Locale.ROOT, ", score %.2f", score));
  }
}
