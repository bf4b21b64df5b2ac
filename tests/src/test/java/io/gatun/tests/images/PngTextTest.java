package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.gatun.models.ImageSettings;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.ImageParameters;
import io.gatun.models.image.Image;
import io.gatun.models.image.ImageException;
import io.gatun.tests.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// Texts in PNG files are a stranger's: each is read within bounds, whatever it says.
class PngTextTest {
  private static final String PARAMETERS =
      """
      a red circle, (blue:1.2) "quoted", at noon: 12
      second line
      Negative prompt: green, \\"worse\\"
      Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 965400086, \
      Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned, VAE file: vae.safetensors, \
      VAE file hash: 0123456789, Denoising strength: 0.7, Clip skip: 2, Mask hash: abcdef0123, \
      Lora 1: style.safetensors:0.8, Lora 1 hash: 0123456789, RNG: CPU, Dtype: f32, \
      Lora hashes: "one: abc, two: \\"def\\"", Hashes: {"vae": "1", "model": "2"}, Version: v1.6.0\
      """;

  @TempDir private static Path temp;

  @Test
  void readsAllKindsOfTexts() throws IOException {
    var file = temp.resolve("kinds.png");
    byte[] deflated = deflate("z é".getBytes(StandardCharsets.ISO_8859_1));
    Files.write(
        file,
        png(
            chunk("tEXt", latin("plain\0t é")),
            chunk("zTXt", latin("packed\0\0"), deflated),
            chunk("iTXt", latin("far\0\0\0fr\0loin\0"), "雨".getBytes(StandardCharsets.UTF_8)),
            chunk(
                "iTXt",
                latin("far packed\0\1\0\0\0"),
                deflate("雨雨".getBytes(StandardCharsets.UTF_8)))));
    assertEquals(
        Map.of("plain", "t é", "packed", "z é", "far", "雨", "far packed", "雨雨"),
        Image.readText(file));
  }

  /// What took a regular expression 40 s, or its stack.
  @Test
  void parametersAreReadInOneWalk() {
    for (String hostile :
        List.of(
            "a".repeat(1_000_000),
            "a:".repeat(500_000),
            "a ".repeat(500_000) + ",",
            "aa:\"" + "\\\"".repeat(500_000),
            "aa:\"".repeat(250_000),
            "aa: \\\"".repeat(250_000),
            " ".repeat(1_000_000) + ":",
            "aa: " + " ".repeat(1_000_000) + "x",
            "\n".repeat(1_000_000),
            "Negative prompt:\n".repeat(60_000))) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(60),
          () -> ImageParameters.parse(hostile),
          () -> hostile.substring(0, Math.min(20, hostile.length())));
    }
  }

  /// 16 kB that unfold to 16 MB each, and texts without number.
  @Test
  void refusesBombs() throws IOException {
    byte[] packed = deflate(new byte[17 << 20]);
    refuses(png(chunk("zTXt", latin("parameters\0\0"), packed)), "texts are longer");
    refuses(png(chunk("iTXt", latin("parameters\0\1\0\0\0"), packed)), "texts are longer");
    byte[] half = deflate(new byte[9 << 20]);
    refuses(
        png(chunk("zTXt", latin("a\0\0"), half), chunk("zTXt", latin("b\0\0"), half)),
        "texts are longer");
    var many = new byte[1001][];
    for (int i = 0; i < many.length; i++) {
      many[i] = chunk("tEXt", latin("key " + i + "\0"));
    }
    refuses(png(many), "more than 1,000");
  }

  private static void refuses(byte[] png, String words) throws IOException {
    Path file = Files.write(temp.resolve("bomb.png"), png);
    String message = assertThrows(ImageException.class, () -> Image.readText(file)).getMessage();
    assertTrue(message.contains(words), message);
  }

  @Test
  void saysWhatCarriesNoTexts() throws Exception {
    Path jpeg = Pictures.path("rgb.jpg");
    String message = assertThrows(ImageException.class, () -> Image.readText(jpeg)).getMessage();
    assertTrue(message.contains("rgb.jpg: is no PNG file"), message);
    Path pipe = temp.resolve("pipe.png");
    if (Files.isExecutable(Path.of("/usr/bin/mkfifo"))) {
      assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
      for (var read : List.<Executable>of(() -> Image.readText(pipe), () -> Image.read(pipe))) {
        assertTimeoutPreemptively(
            Duration.ofSeconds(60), () -> assertThrows(ImageException.class, read));
      }
    }
  }

  /// 2,000 mutations, of the text and of the file around it: each is read or refused within 10 s
  /// and 256 MB.
  @Test
  void mutations() throws IOException {
    var random = new Random(7);
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Path file = temp.resolve("mutated.png");
    int settings = 0;
    var sd = StableDiffusion.load(TestData.pretrained("tiny-sd"));
    for (int i = 0; i < 2000; i++) {
      byte[] text = PARAMETERS.getBytes(StandardCharsets.UTF_8);
      for (int changes = random.nextInt(5); changes > 0; changes--) {
        text = mutated(text, random);
      }
      byte[] chunk =
          switch (random.nextInt(3)) {
            case 0 -> chunk("tEXt", latin("parameters\0"), text);
            case 1 -> chunk("zTXt", latin("parameters\0\0"), deflate(text));
            default -> chunk("iTXt", latin("parameters\0\0\0\0\0"), text);
          };
      byte[] whole = png(chunk);
      Files.write(file, random.nextInt(4) == 0 ? mutated(whole, random) : whole);
      long start = threads.getCurrentThreadCpuTime();
      long allocated = threads.getCurrentThreadAllocatedBytes();
      try {
        settings += use(Image.readText(file).getOrDefault("parameters", ""), sd);
      } catch (ImageException e) {
        assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      }
      long milliseconds = (threads.getCurrentThreadCpuTime() - start) / 1_000_000;
      long bytes = threads.getCurrentThreadAllocatedBytes() - allocated;
      assertTrue(milliseconds < 10_000 && bytes < 256 << 20, i + ": " + milliseconds + " " + bytes);
    }
    sd.close();
    assertTrue(settings > 1000, "only " + settings + " were read");
  }

  /// Does with a text what `imagine --from` does; 1 if it says how an image was made.
  private static int use(String text, StableDiffusion sd) {
    var parameters = ImageParameters.parse(text);
    try {
      for (var source : ImageSettings.files(parameters)) {
        String name = source.name();
        assertTrue(!name.contains("/") && !name.contains("\\") && name.length() < 50, name);
      }
    } catch (IllegalArgumentException e) {
      assertTrue(e.getMessage().contains("need a number"), e.getMessage());
    }
    ImageParameters.parse(parameters.format());
    var stop = new CancellationException();
    try {
      sd.imagine(
          "",
          o -> {
            ImageSettings.read(parameters, o);
            throw stop;
          });
    } catch (IllegalArgumentException e) {
      assertTrue(e.getMessage().length() < 500, e.getMessage()); // it lists the samplers
    } catch (CancellationException e) {
      assertSame(stop, e);
    }
    return parameters.settings().isEmpty() ? 0 : 1;
  }

  private static byte[] mutated(byte[] bytes, Random random) {
    int at = random.nextInt(bytes.length);
    int length = random.nextInt(Math.min(100, bytes.length - at));
    var out = new ByteArrayOutputStream();
    out.write(bytes, 0, at);
    switch (random.nextInt(5)) {
      case 0 -> out.write(random.nextInt(256));
      case 1 -> {
        int times = 1 << random.nextInt(12);
        for (int i = 0; i < times; i++) {
          out.write(bytes, at, length);
        }
      }
      case 2 ->
          out.writeBytes(latin(List.of("/", "\\", "\"", ",", ":", "\n").get(random.nextInt(6))));
      case 3 -> out.write(bytes, 0, length);
      default -> {
        for (int i = 0; i < length; i++) {
          out.write(random.nextInt(256));
        }
      }
    }
    int rest = random.nextBoolean() ? at : at + length;
    out.write(bytes, rest, bytes.length - rest);
    return out.toByteArray();
  }

  /// A picture with more chunks before its end.
  private static byte[] png(byte[]... chunks) throws IOException {
    Path plain = temp.resolve("plain.png");
    if (!Files.exists(plain)) {
      Image.of(1, 1, 3, Arena.ofAuto().allocate(3)).write(plain);
    }
    byte[] picture = Files.readAllBytes(plain);
    var out = new ByteArrayOutputStream();
    out.write(picture, 0, picture.length - 12);
    for (byte[] chunk : chunks) {
      out.writeBytes(chunk);
    }
    out.write(picture, picture.length - 12, 12);
    return out.toByteArray();
  }

  private static byte[] chunk(String type, byte[]... parts) {
    var body = new ByteArrayOutputStream();
    body.writeBytes(latin(type));
    for (byte[] part : parts) {
      body.writeBytes(part);
    }
    var crc = new CRC32();
    crc.update(body.toByteArray());
    return ByteBuffer.allocate(body.size() + 8)
        .putInt(body.size() - 4)
        .put(body.toByteArray())
        .putInt((int) crc.getValue())
        .array();
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte[] deflate(byte[] bytes) throws IOException {
    var out = new ByteArrayOutputStream();
    try (var deflater = new DeflaterOutputStream(out)) {
      deflater.write(bytes);
    }
    return out.toByteArray();
  }
}
