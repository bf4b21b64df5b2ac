package io.gatun.models.image;

import java.awt.AlphaComposite;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.NoSuchElementException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.ImageInputStream;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/// The pictures of an animated GIF, each of which may be a patch on the one before.
final class GifFrames implements Frames {
  private final Path file;
  private final ImageInputStream input;
  private final ImageReader reader;
  private final int count;
  private final BufferedImage canvas;
  private int next;

  GifFrames(Path file, long maxPixels) {
    this.file = file;
    try {
      input = ImageIO.createImageInputStream(Files.newInputStream(file));
      reader = ImageIO.getImageReadersByFormatName("gif").next();
      reader.setInput(input);
      count = reader.getNumImages(true);
      var screen = element(reader.getStreamMetadata(), "LogicalScreenDescriptor");
      int width = number(screen, "logicalScreenWidth", reader.getWidth(0));
      int height = number(screen, "logicalScreenHeight", reader.getHeight(0));
      for (int i = 0; i < count; i++) {
        check(reader.getWidth(i), reader.getHeight(i), maxPixels);
      }
      check(width, height, maxPixels);
      canvas = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB);
    } catch (IOException | RuntimeException e) {
      throw FileBytes.exception(file, e);
    }
  }

  private void check(int width, int height, long maxPixels) {
    if ((long) width * height > maxPixels || (long) width * height < 1) {
      throw new ImageException(
          "%s: has a picture of %d x %d pixels; need 1 to %,d in all"
              .formatted(file, width, height, maxPixels));
    }
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public Image next() {
    if (next == count) {
      throw new NoSuchElementException(file + " has no more pictures");
    }
    try {
      var patch = reader.read(next);
      var metadata = reader.getImageMetadata(next);
      var place = element(metadata, "ImageDescriptor");
      int x = number(place, "imageLeftPosition", 0);
      int y = number(place, "imageTopPosition", 0);
      var control = element(metadata, "GraphicControlExtension");
      String disposal = control == null ? "none" : control.getAttribute("disposalMethod");
      var before = disposal.equals("restoreToPrevious") ? copy(canvas) : null;
      draw(patch, x, y);
      next++;
      Image shown = image();
      if (before != null) {
        canvas.setData(before.getData());
      } else if (disposal.equals("restoreToBackgroundColor")) {
        clear(x, y, patch.getWidth(), patch.getHeight());
      }
      return shown;
    } catch (IOException | RuntimeException e) {
      throw FileBytes.exception(file, e);
    }
  }

  private static BufferedImage copy(BufferedImage image) {
    var copy = new BufferedImage(image.getWidth(), image.getHeight(), image.getType());
    copy.setData(image.getData());
    return copy;
  }

  private void draw(BufferedImage patch, int x, int y) {
    Graphics2D g = canvas.createGraphics();
    g.drawImage(patch, x, y, null);
    g.dispose();
  }

  private void clear(int x, int y, int width, int height) {
    Graphics2D g = canvas.createGraphics();
    g.setComposite(AlphaComposite.Clear);
    g.fillRect(x, y, width, height);
    g.dispose();
  }

  /// What shows of the canvas, on black.
  private Image image() {
    int width = canvas.getWidth();
    int height = canvas.getHeight();
    var pixels = Image.allocate(width, height, 3);
    var row = new int[width];
    for (int y = 0; y < height; y++) {
      canvas.getRGB(0, y, width, 1, row, 0, width);
      for (int x = 0; x < width; x++) {
        for (int c = 0; c < 3; c++) {
          byte value = (byte) (row[x] >>> 24 == 0 ? 0 : row[x] >> (16 - 8 * c));
          pixels.set(ValueLayout.JAVA_BYTE, 3L * (y * width + x) + c, value);
        }
      }
    }
    return Image.of(width, height, 3, pixels);
  }

  /// The first part of that name; null if there is none.
  private static Element element(IIOMetadata metadata, String name) {
    if (metadata == null) {
      return null;
    }
    var tree = (Element) metadata.getAsTree(metadata.getNativeMetadataFormatName());
    NodeList found = tree.getElementsByTagName(name);
    return found.getLength() == 0 ? null : (Element) found.item(0);
  }

  private static int number(Element element, String name, int absent) {
    return element == null ? absent : Integer.parseInt(element.getAttribute(name));
  }

  @Override
  public void close() {
    reader.dispose();
    try {
      input.close();
    } catch (IOException e) {
      throw FileBytes.exception(file, e);
    }
  }
}
