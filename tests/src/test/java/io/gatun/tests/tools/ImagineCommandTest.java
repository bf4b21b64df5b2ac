package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun imagine`, with tiny-sd.
class ImagineCommandTest {
  @TempDir private static Path temp;

  @BeforeAll
  static void copyScene() throws Exception {
    Files.copy(TestData.pretrained("tiny-sam/scene0.png"), temp.resolve("scene0.png"));
  }

  private static Result gatun(String... args) {
    return done(InProcess.gatun(args));
  }

  private static Result done(Result result) {
    assertEquals(0, result.code(), result.err());
    return result;
  }

  /// The model that comes with Gatun, at once; and the same image again from its own file.
  @Test
  void makesAnImageAndMakesItAgain() throws Exception {
    Path first = temp.resolve("first.png");
    Path again = temp.resolve("again.png");
    Result result =
        done(
            Launcher.in(temp)
                .gatun(
                    "imagine",
                    "a red circle on a blue background",
                    "--seed",
                    "7",
                    "--guidance",
                    "5",
                    "--out",
                    first.toString()));
    assertEquals(first + ": 64 x 64, seed 7\n", result.out());
    assertTrue(result.err().contains("25 steps of "), result.err());
    Image image = Image.read(first);
    assertColour(image, 2, 2, 40, 90, 230);
    assertColour(image, 32, 32, 220, 40, 40);

    gatun("imagine", "--from", first.toString(), "--out", again.toString(), "--quiet");
    assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(again));
  }

  /// What the network predicts can be said, changes the image, and is kept in its file.
  @Test
  void predictsWhatItIsTold() throws Exception {
    Path first = temp.resolve("v.png");
    Path again = temp.resolve("v-again.png");
    Path plain = temp.resolve("epsilon.png");
    var common = List.of("imagine", "a star", "-s", "2", "--seed", "7", "-q", "-o");
    inProcess(common, first.toString(), "--prediction-type", "v_prediction");
    inProcess(common, plain.toString());
    String text = Image.readText(first).get("parameters");
    assertTrue(text.contains("Prediction type: v_prediction"), text);
    assertFalse(Image.readText(plain).get("parameters").contains("Prediction type"));
    assertFalse(Arrays.equals(pixels(first), pixels(plain)));
    inProcess(List.of("imagine", "-q", "--from"), first.toString(), "-o", again.toString());
    assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(again));
  }

  /// What a ControlNet saw and how it steered is kept in the image's file; the picture itself is
  /// not.
  @Test
  void control() throws Exception {
    Path model = TestData.shared("diffusion-random/sd15_controlnet");
    String picture = temp.resolve("scene0.png").toString();
    Path first = temp.resolve("control.png");
    Path again = temp.resolve("control-again.png");
    var common = List.of("imagine", "-m", model.toString(), "-q", "-o");
    String[] how = "a --width 64 --height 64 -s 2 --control-scale 0.5 --control-end 0.7".split(" ");
    var args = new ArrayList<>(List.of(first.toString(), "--control-image", picture));
    args.addAll(List.of(how));
    inProcess(common, args.toArray(String[]::new));
    String text = Image.readText(first).get("parameters");
    assertTrue(text.contains("Control 1 steers: 0.5 from 0 to 0.7"), text);
    Result refused = InProcess.gatun("imagine", "-m", model.toString(), "--from", first.toString());
    Launcher.assertRefused(refused, "--control-image");
    inProcess(common, again.toString(), "--from", first.toString(), "--control-image", picture);
    assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(again));
    Launcher.assertRefused(
        InProcess.gatun("imagine", "a", "--control-end", "0.5"), "there are 1 for 0");
  }

  /// A line of JSON for each image; what is there is passed over; a wrong line is told before the
  /// first image is made.
  @Test
  void batchFile() throws Exception {
    Path lines = temp.resolve("lines.jsonl");
    Path folder = temp.resolve("made");
    Files.writeString(
        lines,
        """
        {"prompt": "a red circle", "seed": 7, "out": "circle.png"}

        {"prompt": "a star", "seed": 3, "steps": 3, "scheduler": "heun", "spacing": "beta"}
        {"prompt": "a star", "seed": 3, "width": 65}
        """);
    String[] all = {
      "imagine",
      "-s",
      "2",
      "--json",
      "-q",
      "--batch-file",
      lines.toString(),
      "-o",
      folder.toString()
    };
    Result result = InProcess.gatun(all);
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains("line 4: a size of 65 x 64"), result.err());
    var made = result.out().lines().toList();
    assertEquals(2, made.size(), result.out());
    assertTrue(made.get(0).contains("circle.png") && made.get(0).contains("\"line\":1"));
    assertTrue(made.get(1).contains("0003.png"), made.get(1));
    String text = Image.readText(folder.resolve("0003.png")).get("parameters");
    assertTrue(text.contains("Steps: 3,") && text.contains("Spacing: beta"), text);
    // The same image as alone, though weights and states were kept.
    Path alone = temp.resolve("alone.png");
    inProcess(
        List.of("imagine", "a star", "-s", "3", "--seed", "3", "-q", "-o"),
        alone.toString(),
        "--scheduler",
        "heun",
        "--spacing",
        "beta");
    assertArrayEquals(pixels(alone), pixels(folder.resolve("0003.png")));
    Files.delete(folder.resolve("circle.png"));
    Result again = InProcess.gatun(all);
    assertEquals(1, again.out().lines().count(), again.out());
    assertTrue(again.err().contains("0003.png is there already"), again.err());
    for (String wrong :
        List.of(
            "{",
            "{\"seed\": 1}",
            "{\"prompt\": \"a\", \"sed\": 1}",
            "{\"prompt\": \"a\", \"seed\": \"1\"}",
            "{\"prompt\": \"a\", \"out\": \"../a.png\"}",
            "{\"prompt\": \"a\", \"out\": \"a.gif\"}",
            "")) {
      Result refused =
          InProcess.reading(wrong, "imagine", "--batch-file", "-", "-o", folder.toString());
      Launcher.assertRefused(refused, "--batch-file");
    }
  }

  /// A batch that is stopped has written whole images, and is resumed by the same command, which
  /// makes what it would have made; sizes may be multiplied by fractions.
  @Test
  void batchFileInterrupted() throws Exception {
    Path lines = temp.resolve("interrupted.jsonl");
    Path folder = temp.resolve("interrupted");
    Files.writeString(
        lines,
        """
        {"prompt": "a red circle", "seed": 1, "steps": 2, "hires": 1.5}
        {"prompt": "a star", "seed": 2, "steps": 900, "width": 256, "height": 256}
        """);
    String[] all = {"imagine", "-q", "--batch-file", lines + "", "-o", folder + ""};
    var result = new Result[1];
    var batch = new Thread(() -> result[0] = InProcess.gatun(all));
    batch.start();
    Path first = folder.resolve("0001.png");
    for (int i = 0; i < 600 && !Files.exists(first); i++) {
      Thread.sleep(50);
    }
    batch.interrupt();
    batch.join(60_000);
    assertFalse(batch.isAlive());
    assertTrue(result[0].code() > 2, result[0].code() + " " + result[0].err());
    assertEquals(96, Image.read(first).width());
    assertEquals(List.of("0001.png"), names(folder));
    byte[] before = Files.readAllBytes(first);
    Files.writeString(lines, Files.readString(lines).replace("900", "1"));
    Result resumed = InProcess.gatun(all);
    assertEquals(0, resumed.code(), resumed.err());
    assertTrue(resumed.err().contains("0001.png is there already"), resumed.err());
    assertArrayEquals(before, Files.readAllBytes(first));
    assertEquals(List.of("0001.png", "0002.png"), names(folder));
  }

  private static List<String> names(Path folder) throws Exception {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /// A picture of each step, and one of all images.
  @Test
  void previewAndGrid() throws Exception {
    Path preview = temp.resolve("preview.png");
    Path grid = temp.resolve("grid.png");
    inProcess(
        List.of("imagine", "a star", "-s", "2", "--batch", "3", "-q", "-o"),
        temp.resolve("three.png").toString(),
        "--preview",
        preview.toString(),
        "--grid",
        grid.toString());
    assertEquals(128, Image.read(grid).width());
    assertEquals(128, Image.read(grid).height());
    assertTrue(Image.read(preview).width() > 0);
    Image first = Image.read(temp.resolve("three-1.png"));
    Image third = Image.read(temp.resolve("three-3.png"));
    assertEquals(first.get(5, 9, 1), Image.read(grid).get(5, 9, 1));
    assertEquals(third.get(5, 9, 1), Image.read(grid).get(5, 64 + 9, 1));
    assertEquals(0, Image.read(grid).get(100, 100, 0));
  }

  /// Margins are painted, and the picture between them stays.
  @Test
  void outpaint() throws Exception {
    Path small = temp.resolve("small.png");
    Path large = temp.resolve("outpainted.png");
    inProcess(
        List.of("imagine", "a red circle on a blue background", "--seed", "7", "-q", "-o"),
        large.toString());
    Image scene = Image.read(large).crop(0, 0, 48, 56);
    scene.write(small);
    String[] how = {
      "imagine",
      "a star",
      "--seed",
      "3",
      "--init-image",
      small.toString(),
      "--strength",
      "1",
      "-q",
      "-s",
      "4"
    };
    inProcess(List.of(how), "--outpaint", "0,0,16,8", "-o", large.toString());
    Image made = Image.read(large);
    assertEquals(64, made.width());
    assertEquals(64, made.height());
    double inside = 0;
    for (int y = 8; y < 48; y++) {
      for (int x = 8; x < 40; x++) {
        inside += Math.abs(made.get(x, y, 0) - scene.get(x, y, 0)) / (40.0 * 32);
      }
    }
    assertTrue(inside < 12, "mean difference " + inside); // the autoencoder's
    for (String wrong : List.of("1,2,3", "0,0,0,0", "-1,0,0,9")) {
      var args = new ArrayList<>(List.of(how));
      args.addAll(List.of("--outpaint", wrong));
      Result result = InProcess.gatun(args.toArray(String[]::new));
      assertEquals(2, result.code(), result.err());
    }
    Launcher.assertRefused(
        InProcess.gatun("imagine", "a", "--outpaint", "0,0,8,8"), "--outpaint needs --init-image");
  }

  @Test
  void upscale() {
    Path model = TestData.shared("diffusion-random/esrgan/RealESRGAN_x2_random.pth");
    Path out = temp.resolve("large.png");
    String scene = temp.resolve("scene0.png").toString();
    Result result =
        InProcess.gatun("upscale", scene, "-m", model.toString(), "-o", out.toString(), "-q");
    assertEquals(0, result.code(), result.err());
    assertEquals(2 * Image.read(Path.of(scene)).width(), Image.read(out).width());
    Launcher.assertRefused(
        InProcess.gatun(
            "upscale", scene, "-m", model.toString(), "-o", out.toString(), "--tile", "8"),
        "--tile is 8");
  }

  private static void inProcess(List<String> first, String... rest) throws Exception {
    var args = new ArrayList<>(first);
    args.addAll(List.of(rest));
    Result result = InProcess.gatun(args.toArray(String[]::new));
    assertEquals(0, result.code(), result.err());
  }

  private static byte[] pixels(Path file) {
    return Image.read(file).pixels().toArray(ValueLayout.JAVA_BYTE);
  }

  private static void assertColour(Image image, int x, int y, int... rgb) {
    for (int c = 0; c < 3; c++) {
      assertEquals(rgb[c], image.get(x, y, c), 50, "channel %d at %d,%d".formatted(c, x, y));
    }
  }

  @Test
  void writesABatchFromAnImage() throws Exception {
    Path start = temp.resolve("start.png");
    gatun("imagine", "a blue square", "--steps", "4", "--seed", "1", "-o", start.toString());
    Result result =
        gatun(
            "imagine",
            "a star",
            "--steps",
            "6",
            "--seed",
            "3",
            "--batch",
            "2",
            "--init-image",
            start.toString(),
            "--strength",
            "0.5",
            "--scheduler",
            "dpmpp_2m_karras",
            "--dtype",
            "f32",
            "--out",
            temp.resolve("batch.png").toString());
    assertTrue(result.err().contains("3 steps of "), result.err());
    for (int i = 1; i <= 2; i++) {
      String text = Image.readText(temp.resolve("batch-" + i + ".png")).get("parameters");
      assertTrue(text.contains("Seed: " + (2 + i) + ","), text);
      assertTrue(text.contains("Denoising strength: 0.5"), text);
    }
    Result from = InProcess.gatun("imagine", "--from", temp.resolve("batch-1.png").toString());
    assertEquals(2, from.code());
    assertTrue(from.err().contains("--init-image"), from.err());
  }

  /// A stranger's image chooses no files: it names them, and the user gives them.
  @Test
  void openNothingThatAnImageNames() throws Exception {
    for (var source :
        Map.of(
                "VAE file: /etc/passwd", "was made with another autoencoder, passwd; name it",
                "Lora 1: /etc/passwd:0.5", "adaptations; give --lora passwd:0.5",
                "Prediction type: \u001b[0m", "need one of [epsilon, v_prediction, sample]",
                "Mask hash: 0123456789", "was made from a mask; name that with --mask")
            .entrySet()) {
      Path image = temp.resolve("stranger.png");
      String text = "x\nSteps: 1, Seed: 1, Sampler: Euler, " + source.getKey();
      Image.read(temp.resolve("scene0.png")).write(image, Map.of("parameters", text));
      Result result = InProcess.gatun("imagine", "--from", image.toString());
      Launcher.assertRefused(result, source.getValue());
      assertFalse(result.err().contains("root:"), result.err());
    }
    for (String file :
        List.of(
            "Control 1: /etc/passwd",
            "Embedding 1: ../../etc/passwd",
            "Network file: /etc/passwd",
            "Text encoder 1: \\\\host\\etc\\passwd",
            "Model: /etc/passwd")) {
      Path image = temp.resolve("stranger.png");
      String text = "x\nSteps: 1, Seed: 1, Sampler: Euler, " + file;
      Image.read(temp.resolve("scene0.png")).write(image, Map.of("parameters", text));
      Path made = temp.resolve("made.png");
      Result result = InProcess.gatun("imagine", "--from", image.toString(), "-o", made.toString());
      assertTrue(result.err().contains("passwd"), result.err()); // without it, or not at all
      assertFalse(result.err().contains("etc"), result.err());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x --width 65 | multiples of 8",
        "x --scheduler restart | there is no scheduler \"restart\"",
        "x --lora nonesuch.safetensors:0.5 | nonesuch.safetensors: there is no such file",
        "x --lora a.safetensors:much | \"much\" is no number",
        "x --model nonesuch | nonesuch: there is no such file or directory",
        "x --dtype f16 | not one of bf16, f32",
        "x --out out.gif | need a name that ends in .png, .jpg",
        "x --out nowhere/out.png | there is no folder",
        "x --init-image nonesuch.png | there is no such file",
        "x --strength 0.5 | --strength says how far the result may be from --init-image",
        "x --strength 2 --init-image scene0.png | strength is 2.0",
        "x --width 100000 --height 100000 | need at most 16777216 pixels in an image",
        "x --quantize-layers attn | --quantize-layers says which layers --quantize is for",
        "x --quantize int8 --quantize-layers ( | '(' is no regular expression",
        "x --prediction-type noise | 'noise' is not one of epsilon, v_prediction, sample",
        "x --rng mt | 'mt' is not one of philox, torch",
        "x --steps 0 | steps is 0; need at least 1",
        "--from nonesuch.png | nonesuch.png: there is no such file",
        "--steps 3 | Give a prompt"
      })
  void saysWhatIsWrong(String args, String message) throws Exception {
    String scene = temp.resolve("scene0.png").toString();
    Result result = InProcess.gatun(("imagine " + args.replace("scene0.png", scene)).split(" "));
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains(message), result.err());
    assertFalse(result.err().contains("Exception"), result.err());
  }
}
