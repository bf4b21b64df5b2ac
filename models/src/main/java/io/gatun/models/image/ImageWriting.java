package io.gatun.models.image;

import io.gatun.ffm.files.AtomicFile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/// Image files that appear under their names whole or not at all.
final class ImageWriting {
  private static final float JPEG_QUALITY = 0.95f;

  private ImageWriting() {}

  static void write(Image image, Path file, Map<String, String> text) {
    String format = formatOf(file);
    if (format.equals("jpeg") && image.channels() == 4) {
      throw new ImageException(
          file + ": a JPEG file cannot be transparent; choose a name that ends in .png.");
    }
    if (format.equals("jpeg") && !text.isEmpty()) {
      throw new ImageException(
          file + ": only PNG files carry text; choose a name that ends in .png.");
    }
    try (var whole = new AtomicFile(file)) {
      var out = new ChannelImageOutput(whole.channel());
      encode(image, format, text, out);
      out.close();
      whole.commit();
    } catch (IOException e) {
      throw new ImageException(
          "%s: cannot be written: %s; nothing is left of it.".formatted(file, e.getMessage()), e);
    }
  }

  static byte[] png(Image image, Map<String, String> text) {
    var bytes = new ByteArrayOutputStream();
    try (var out = new MemoryCacheImageOutputStream(bytes)) {
      encode(image, "png", text, out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static String formatOf(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".png")) {
      return "png";
    }
    if (name.endsWith(".jpg") || name.endsWith(".jpeg")) {
      return "jpeg";
    }
    throw new ImageException(
        file
            + ": images are written as PNG or JPEG; need a name that ends in .png, .jpg or .jpeg.");
  }

  private static void encode(
      Image image, String format, Map<String, String> text, ImageOutputStream out)
      throws IOException {
    BufferedImage picture =
        OffHeapRaster.image(image.pixels(), image.width(), image.height(), image.channels());
    ImageWriter writer = ImageIO.getImageWritersByFormatName(format).next();
    try {
      ImageWriteParam param = writer.getDefaultWriteParam();
      if (format.equals("jpeg")) {
        param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
        param.setCompressionQuality(JPEG_QUALITY);
      }
      IIOMetadata metadata = null;
      if (!text.isEmpty()) {
        var type = ImageTypeSpecifier.createFromRenderedImage(picture);
        metadata = writer.getDefaultImageMetadata(type, param);
        PngText.put(metadata, text);
      }
      writer.setOutput(out);
      writer.write(null, new IIOImage(picture, null, metadata), param);
    } finally {
      writer.dispose();
    }
  }
}
