package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.tests.Processes;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.stream.FileImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Large pictures take their own memory, outside the heap, and little else.
@Execution(ExecutionMode.CONCURRENT)
class LargeImagesTest {
  @TempDir private static Path temp;

  /// Reads files, and says what became of each.
  static final class Reader {
    private Reader() {}

    public static void main(String[] files) {
      for (String file : files) {
        try {
          System.out.println(Image.read(Path.of(file)));
        } catch (ImageException e) {
          System.out.println(e.getMessage());
        }
      }
    }
  }

  private static List<String> read(List<String> flags, Path... files) throws Exception {
    String[] names = List.of(files).stream().map(Path::toString).toArray(String[]::new);
    var result = Processes.run(Processes.java(Reader.class, flags, names));
    assertEquals(0, result.code(), result.err());
    return result.out().lines().toList();
  }

  /// 12 megapixels of each kind in a heap of 64 MB.
  @Test
  void smallHeap() throws Exception {
    Path lossy = Pictures.path("12-megapixels.webp");
    Path lossless = Pictures.path("12-megapixels-lossless.webp");
    Path png = temp.resolve("large.png");
    Path jpeg = temp.resolve("large.jpg");
    Image image = Image.read(lossy);
    image.write(png);
    image.write(jpeg);
    assertEquals(
        List.of("Image(4000 x 3000 RGB)"),
        read(
                List.of("-Xmx64m", "-XX:MaxDirectMemorySize=1g", "-XX:+UseSerialGC"),
                lossy,
                lossless,
                png,
                jpeg)
            .stream()
            .distinct()
            .toList());
  }

  /// Memory that does not suffice is not the file's fault.
  @Test
  void tooLittleMemory() throws Exception {
    Path png = temp.resolve("36-megapixels.png");
    Image.of(6000, 6000, 1, Arena.ofAuto().allocate(36_000_000)).write(png);
    String said = read(List.of("-Xmx64m", "-XX:MaxDirectMemorySize=8m"), png).getFirst();
    assertTrue(said.startsWith(png + ": there is not enough memory to read it"), said);
    assertTrue(said.contains("GATUN_JAVA_OPTS"), said);
    assertEquals(
        "Image(6000 x 6000 grey)",
        read(List.of("-Xmx64m", "-XX:MaxDirectMemorySize=1g"), png).getFirst());
  }

  /// Some hundred bytes that claim 25 megapixels.
  @ParameterizedTest
  @ValueSource(strings = {"lossy.webp", "lossless.webp", "rgb.png", "rgb.bmp"})
  void claimsAreNotBelieved(String name) throws IOException {
    byte[] small = Files.readAllBytes(Pictures.path(name));
    var bytes = ByteBuffer.wrap(small).order(ByteOrder.LITTLE_ENDIAN);
    switch (name) {
      case "lossy.webp" -> bytes.putShort(26, (short) 5000).putShort(28, (short) 5000);
      case "lossless.webp" -> bytes.putInt(21, bytes.getInt(21) & 0xF0000000 | 4999 << 14 | 4999);
      case "rgb.bmp" -> bytes.putInt(18, 5000).putInt(22, 5000);
      default -> {
        bytes.order(ByteOrder.BIG_ENDIAN).putInt(16, 5000).putInt(20, 5000);
        var crc = new CRC32();
        crc.update(small, 12, 17);
        bytes.putInt(29, (int) crc.getValue());
      }
    }
    Path file = Files.write(temp.resolve(name), small);
    var refused =
        assertTimeoutPreemptively(
            Duration.ofSeconds(60),
            () -> assertThrows(ImageException.class, () -> Image.read(file)));
    assertTrue(refused.getMessage().contains("is damaged or truncated"), refused.getMessage());
  }

  /// In seven passes as in one.
  @ParameterizedTest
  @ValueSource(strings = {"rgb.png", "rgba.png", "grey16.png", "palette.png", "one-bit.png"})
  void interlacedPictures(String name) throws IOException {
    Path file = temp.resolve("interlaced.png");
    var writer = ImageIO.getImageWritersByFormatName("png").next();
    var param = writer.getDefaultWriteParam();
    param.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
    Files.deleteIfExists(file);
    try (var out = new FileImageOutputStream(file.toFile())) {
      writer.setOutput(out);
      var picture = ImageIO.read(Pictures.path(name).toFile());
      writer.write(null, new IIOImage(picture, null, null), param);
    }
    assertEquals(1, Files.readAllBytes(file)[28], "interlaced");
    Pictures.assertSame(Image.read(file).rgb(), Pictures.golden(name).rgb(), 0);
  }
}
