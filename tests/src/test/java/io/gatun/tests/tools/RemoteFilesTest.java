package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.image.Image;
import io.gatun.server.Server;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `gatun embed`, `segment` and `imagine` have a running server do what they do without one, and
/// write the same.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RemoteFilesTest {
  private static final Path BERT =
      TestData.complete(TestData.ROOT.resolve("tests/src/test/resources/encoder/minilm-l6"));
  private static final Path SCENES = TestData.pretrained("tiny-sam");

  private static Server server;

  @TempDir private Path folder;

  @BeforeAll
  static void start() {
    server =
        Server.start(
            o ->
                o.model(BERT)
                    .model(SCENES)
                    .model(TestData.pretrained("tiny-sd"))
                    .pixelLimit(1 << 20)
                    .threads(2));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String[] with(String[] first, String... more) {
    var all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  private static String[] there(String... args) {
    return with(args, "--server", server.uri().toString());
  }

  private static Result done(String... args) {
    var result = InProcess.gatun(args);
    assertEquals(0, result.code(), result.err());
    return result;
  }

  private static void refused(String words, String... args) {
    var result = InProcess.reading("a cat\n", args);
    assertEquals(2, result.code(), result.toString());
    assertTrue(result.err().contains(words), result.err());
    assertEquals("", result.out().strip());
  }

  /// The paths of what is in a folder, and what is in them.
  private static void assertSameFiles(Path expected, Path found) throws IOException {
    try (Stream<Path> files = Files.walk(expected);
        Stream<Path> others = Files.walk(found)) {
      List<Path> names =
          files.filter(Files::isRegularFile).map(expected::relativize).sorted().toList();
      assertEquals(
          names, others.filter(Files::isRegularFile).map(found::relativize).sorted().toList());
      assertFalse(names.isEmpty());
      for (Path name : names) {
        assertArrayEquals(
            Files.readAllBytes(expected.resolve(name)),
            Files.readAllBytes(found.resolve(name)),
            name.toString());
      }
    }
  }

  /// Runs a command here and there, which is to write the same files into its `DIR`.
  private void writesTheSame(String... args) throws IOException {
    Path here = Files.createTempDirectory(folder, "here");
    Path far = Files.createTempDirectory(folder, "there");
    done(Arrays.stream(args).map(a -> a.replace("DIR", here.toString())).toArray(String[]::new));
    done(
        there(
            Arrays.stream(args).map(a -> a.replace("DIR", far.toString())).toArray(String[]::new)));
    assertSameFiles(here, far);
  }

  @Test
  void vectors() throws IOException {
    String[] texts = {"embed", "-p", "the cat", "-p", "a dog"};
    var printed = done(with(texts, "-m", BERT.toString())).out();
    assertEquals(printed, done(there(texts)).out());
    Path here = folder.resolve("here.npy");
    Path far = folder.resolve("far.npy");
    done(with(texts, "-m", BERT.toString(), "--npy", here.toString()));
    done(there(with(texts, "--npy", far.toString())));
    assertEquals(-1, Files.mismatch(here, far));
  }

  @Test
  void manyVectorsComeInTheirOrder() {
    var lines = new StringBuilder();
    for (int i = 0; i < 300; i++) {
      lines.append("text ").append(i).append('\n');
    }
    var here = InProcess.reading(lines.toString(), "embed", "-m", BERT.toString());
    var far = InProcess.reading(lines.toString(), there("embed", "-m", "minilm-l6"));
    assertEquals(0, far.code(), far.err());
    assertEquals(here.out(), far.out());
    String tooLong = lines + "the cat ".repeat(600) + "\n";
    var refused = InProcess.reading(tooLong, there("embed", "-m", "minilm-l6"));
    assertEquals(2, refused.code());
    assertTrue(refused.err().contains("text 45 has"), refused.err());
    assertTrue(refused.err().contains("text 1 is text 257 of all"), refused.err());
    var cut = InProcess.reading(tooLong, there("embed", "-m", "minilm-l6", "--truncate"));
    var cutHere = InProcess.reading(tooLong, "embed", "-m", BERT.toString(), "--truncate");
    assertEquals(cutHere.out(), cut.out());
    assertTrue(cut.err().contains("its end was cut off (text 1 is"), cut.err());
  }

  @Test
  void masksOfPrompts() throws IOException {
    String[] scene = {"segment", "-i", SCENES.resolve("scene0.png").toString()};
    writesTheSame(
        with(
            scene,
            "--point",
            "159,139",
            "-o",
            "DIR/m.png",
            "--overlay",
            "DIR/o.png",
            "--cutout",
            "DIR/c.png"));
    writesTheSame(with(scene, "--point", "159,139", "--multimask", "-o", "DIR/m.png"));
    writesTheSame(with(scene, "-b", "20,20,120,120", "-b", "100,90,200,180", "--out", "DIR/m.png"));
    writesTheSame(with(scene, "-b", "100,90,200,180", "--point", "159,139", "--out", "DIR/m.png"));
    String mask = folder.resolve("m.png").toString();
    done(with(scene, "--point", "159,139", "-o", mask));
    writesTheSame(
        with(scene, "--mask-input", mask, "--out", "DIR/m.png", "--overlay", "DIR/o.png"));
    assertEquals(
        untimed(done(with(scene, "--mask-input", mask, "--point", "159,139", "--json")).out()),
        untimed(
            done(there(with(scene, "--mask-input", mask, "--point", "159,139", "--json"))).out()));
  }

  private static Object untimed(String json) throws IOException {
    var all = new ObjectMapper().readTree(json);
    all.forEach(one -> ((ObjectNode) one).remove(List.of("encode_seconds", "decode_seconds")));
    return all;
  }

  @Test
  void masksOfEverything() throws IOException {
    String[] scene = {"segment", "-i", SCENES.resolve("scene0.png").toString(), "--everything"};
    writesTheSame(with(scene, "--overlay", "DIR/o.png", "-o", "DIR/masks"));
    writesTheSame(
        with(
            scene,
            "--points-per-side",
            "6",
            "--pred-iou-thresh",
            "0.5",
            "--box-nms-thresh",
            "0.6",
            "--crop-n-layers",
            "1",
            "--crop-overlap-ratio",
            "0.3",
            "--min-mask-region-area",
            "20",
            "--output-mode",
            "coco_rle",
            "-o",
            "DIR/masks.json"));
  }

  @Test
  void imagesOfAFolder() throws IOException {
    Path images = Files.createDirectory(folder.resolve("images"));
    for (String name : List.of("scene0.png", "scene1.png")) {
      Files.copy(SCENES.resolve(name), images.resolve(name));
    }
    writesTheSame("segment", "-i", images.toString(), "--point", "100,90", "-o", "DIR");
  }

  @Test
  void images() throws IOException {
    String[] circle = {"imagine", "a red circle", "--seed", "7", "--steps", "4", "-q"};
    writesTheSame(
        with(circle, "--batch", "2", "--guidance", "5.3", "--width", "72", "-o", "DIR/i.png"));
    writesTheSame(
        with(circle, "--weighted", "--rng", "torch", "--clip-skip", "1", "-o", "DIR/i.jpg"));
    String start = folder.resolve("start.png").toString();
    done(with(circle, "-o", start));
    writesTheSame(with(circle, "--init-image", start, "--strength", "0.6", "-o", "DIR/i.png"));
    String[] painted = with(circle, "--init-image", start, "--mask", start, "-o");
    String here = folder.resolve("here.png").toString();
    String far = folder.resolve("far.png").toString();
    done(with(painted, here));
    done(there(with(painted, far)));
    // The file tells of the mask as the server got it.
    assertEquals(
        -1L, Image.read(Path.of(here)).pixels().mismatch(Image.read(Path.of(far)).pixels()));
  }

  @Test
  void whatAServerCannotDoIsRefused() {
    String scene = SCENES.resolve("scene0.png").toString();
    refused("--pooling is not told to a server", there("embed", "--pooling", "cls"));
    refused(
        "--dtype is not told to a server",
        there("segment", "-i", scene, "--point", "1,1", "--dtype", "f32"));
    refused("--lora is not told to a server", there("imagine", "--lora", "x"));
    refused("--from is not told to a server", there("imagine", "--from", scene));
    refused("give that, too", there("imagine", "--mask", scene));
    refused("is for images, not for", there("embed", "-m", "tiny-sd"));
    refused("the model has []", there("embed", "--prompt-name", "x"));
    refused("--model=PATH", "embed");
  }
}
