package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Rle;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `gatun segment` as a user types it, with tiny-sam.
class SegmentCommandTest {
  private static final Path SCENES = TestData.pretrained("tiny-sam");
  private static final String SCENE0 = SCENES.resolve("scene0.png").toString();
  private static final String SCENE2 = SCENES.resolve("scene2.png").toString();

  @TempDir private static Path temp;

  private static Result segment(String... args) {
    String[] all = Arrays.copyOf(new String[] {"segment"}, 1 + args.length);
    System.arraycopy(args, 0, all, 1, args.length);
    return InProcess.gatun(all);
  }

  private static Result done(String... args) {
    Result result = segment(args);
    assertEquals(0, result.code(), result.err());
    return result;
  }

  private static String file(String name) {
    return temp.resolve(name).toString();
  }

  /// How many pixels tiny-sam's goldens have for a prompt's mask.
  private static int golden(String key) throws IOException {
    var goldens = new ObjectMapper().readTree(SCENES.resolve("goldens.json").toFile());
    for (JsonNode prompt : goldens.get("prompts")) {
      if (prompt.get("key").asText().equals(key)) {
        return prompt.get("mask_pixels").asInt();
      }
    }
    throw new AssertionError(key);
  }

  @Test
  void aPointGivesTheGoldensMask() throws Exception {
    var out = file("point.png");
    Result result =
        done(
            "-i",
            SCENE0,
            "--point",
            "159,139",
            "--dtype",
            "f32",
            "--out",
            out,
            "--overlay",
            file("point-overlay.jpg"),
            "--cutout",
            file("point-cutout.png"));
    Mask mask = Mask.of(Image.read(Path.of(out)));
    assertEquals(golden("scene0.point"), mask.area(), 20);
    assertTrue(result.out().contains("point.png: score 0.870, "), result.out());
    assertTrue(
        result.err().matches("(?s).*\\[loaded in .* s; encoded in .* s; prompt decoded in .* s]\n"),
        result.err());
    Image cutout = Image.read(temp.resolve("point-cutout.png"));
    assertEquals(255, cutout.get(159, 139, 3));
    assertEquals(0, cutout.get(0, 0, 3));
    assertEquals("Image(256 x 256 RGB)", Image.read(temp.resolve("point-overlay.jpg")).toString());
  }

  @Test
  void pointsAndABoxAreOnePrompt() throws Exception {
    JsonNode json =
        done(
                "-i",
                SCENE0,
                "--point",
                "159,139",
                "--box",
                "114,96,217,193",
                "--dtype",
                "f32",
                "--json")
            .json()
            .get(0);
    assertEquals(1, json.get("masks").size());
    JsonNode mask = json.get("masks").get(0);
    assertEquals(golden("scene0.box_point"), mask.get("area").asInt(), 20);
    assertEquals(0.931, mask.get("score").asDouble(), 1e-3);
    var rle = Rle.parse(mask.at("/segmentation/counts").asText(), 256, 256);
    assertEquals(mask.get("area").asInt(), rle.area());
    assertEquals(rle.toMask(0).bbox()[2], mask.get("bbox").get(2).asInt());
    assertTrue(json.get("encode_seconds").asDouble() > 0);
    assertFalse(Files.exists(temp.resolve("scene0-mask.png")), "--json alone writes no file");
  }

  @Test
  void severalBoxesGiveAMaskEach() throws Exception {
    Result result =
        done("-i", SCENE0, "-b", "0,10,74,109", "-b", "114,96,217,193", "-o", file("boxes.png"));
    assertEquals(2, result.out().lines().count(), result.out());
    Mask first = Mask.of(Image.read(temp.resolve("boxes-1.png")));
    Mask second = Mask.of(Image.read(temp.resolve("boxes-2.png")));
    assertTrue(first.box()[2] < 90 && second.box()[0] > 90, first + " " + second);
    assertTrue(result.err().contains("2 prompts decoded"), result.err());
  }

  @Test
  void multimaskGivesThree() throws Exception {
    assertEquals(
        3,
        done("-i", SCENE0, "--point", "159,139", "--multimask", "--json")
            .json()
            .at("/0/masks")
            .size());
  }

  @Test
  void aMaskRefinesTheNextPrompt() throws Exception {
    done("-i", SCENE0, "--point", "159,139", "-o", file("first.png"));
    done("-i", SCENE0, "--mask-input", file("first.png"), "-o", file("second.png"));
    Mask first = Mask.of(Image.read(temp.resolve("first.png")));
    Mask second = Mask.of(Image.read(temp.resolve("second.png")));
    assertTrue(first.iou(second) > 0.85, first + " " + second + " " + first.iou(second));
  }

  @Test
  void withoutOutputsTheMaskLiesInTheCurrentFolder() throws Exception {
    Result result =
        Launcher.in(temp)
            .gatun(
                "segment",
                "-i",
                SCENE2,
                "--point",
                "63,159",
                "--quantize",
                "int8",
                "--threads",
                "1");
    assertEquals(0, result.code(), result.err());
    Mask mask = Mask.of(Image.read(temp.resolve("scene2-mask.png")));
    assertEquals(golden("scene2.point"), mask.area(), 700);
  }

  @Test
  void everythingAsAFolder() throws Exception {
    Path folder = temp.resolve("everything");
    Result result =
        done(
            "-i",
            SCENE0,
            "--everything",
            "--points-per-side",
            "8",
            "--pred-iou-thresh",
            "0.7",
            "--stability-score-thresh",
            "0.75",
            "--out",
            folder.toString(),
            "--overlay",
            file("everything.png"));
    var table = Files.readAllLines(folder.resolve("metadata.csv"));
    assertTrue(table.size() > 3, table.toString());
    assertTrue(result.out().contains((table.size() - 1) + " masks"), result.out());
    for (int i = 1; i < table.size(); i++) {
      String[] row = table.get(i).split(",", -1);
      assertEquals(14, row.length, table.get(i));
      Mask mask = Mask.of(Image.read(folder.resolve(row[0] + ".png")));
      assertEquals(Integer.parseInt(row[1]), mask.area());
      assertEquals(Integer.parseInt(row[4]), mask.bbox()[2]);
    }
    assertTrue(Files.exists(temp.resolve("everything.png")));
  }

  @Test
  void everythingInAFolderOfImages() throws Exception {
    Path images = Files.createDirectories(temp.resolve("images"));
    for (String name : new String[] {"scene0.png", "scene1.png"}) {
      Files.copy(SCENES.resolve(name), images.resolve(name));
    }
    Files.writeString(images.resolve("broken.jpg"), "no picture");
    Files.writeString(images.resolve("notes.txt"), "no picture either");
    Path out = temp.resolve("results");
    Result result =
        segment(
            "-i",
            images.toString(),
            "--everything",
            "--points-per-side",
            "6",
            "--pred-iou-thresh",
            "0.6",
            "--stability-score-thresh",
            "0.6",
            "--output-mode",
            "coco_rle",
            "--out",
            out.toString());
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains("broken.jpg: is no image that Gatun reads"), result.err());
    for (String name : new String[] {"scene0.json", "scene1.json"}) {
      JsonNode masks = new ObjectMapper().readTree(out.resolve(name).toFile());
      assertTrue(masks.size() > 0, name);
      assertTrue(masks.get(0).at("/segmentation/counts").isTextual());
      assertEquals(1, masks.get(0).get("point_coords").size());
    }
    try (var written = Files.list(out)) {
      assertEquals(2, written.count());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--point 256,10|the point 256,10 is outside the image, which is 256 x 256 pixels",
        "-b 10,10,300,20|the box 10,10,300,20 reaches outside",
        "-b 10,10,5,20|ends before it begins",
        "--point 1;2|'1;2' is not X,Y",
        "--point 1,2:5|X,Y:0",
        "-b 1,2,3|is not X0,Y0,X1,Y1",
        "--json|Nothing says what to segment",
        "--point 1,1 -b 1,1,5,5 -b 2,2,9,9|no --point",
        "-e --point 1,1|--everything asks at points of its own",
        "--point 1,1 --points-per-side 4|need --everything",
        "-e --points-per-side 0|pointsPerSide is 0",
        "-e --points-per-side 100000|pointsPerSide is 100000; need 1 to 1024",
        "-e --output-mode png|'png' is not one of binary_mask",
        "-e --cutout a.png|--cutout shows one object",
        "--point 1,1 --out mask.gif|--out mask.gif: need a name that ends in .png",
        "--point 1,1 --cutout a.jpg|need a name that ends in .png",
        "--point 1,1 --out nowhere/a.png|--out nowhere/a.png: there is no folder",
        "--point 1,1 --dtype f16|'f16' is not one of bf16, f32",
        "--point 1,1 --quantize int4|'int4' is not one of none, int8, int8-dynamic",
        "--point 1,1 --max-pixels 65535|is 256 x 256 pixels, 65,536 in all; at most 65,535",
        "--point 1,1 --mask-input no.png|no.png: there is no such file",
        "--point 1,1 --model no.pth|no.pth",
      })
  void refuses(String args, String words) throws Exception {
    String[] all = ("-i " + SCENE0 + " " + args).split(" ");
    assertRefused(segment(all), words);
  }

  /// As `gatun imagine` reads the same options.
  @Test
  void typesInEitherCase() throws Exception {
    Result result =
        done("-i", SCENE0, "--point", "159,139", "--quantize", "none", "--dtype", "F32", "--json");
    assertEquals(golden("scene0.point"), result.json().at("/0/masks/0/area").asInt(), 20);
  }

  @Test
  void refusesMasksOfAnotherSize() throws Exception {
    assertRefused(
        segment("-i", SCENE0, "--mask-input", SCENE2, "--json"),
        "a mask of 320 x 240 pixels does not fit an image of 256 x 256");
  }

  @Test
  void refusesAnotherKindOfModel() throws Exception {
    assertRefused(
        segment("-i", SCENE0, "--point", "1,1", "-m", TestData.pretrained("tiny-llm").toString()),
        "no Segment Anything model");
  }

  @Test
  void refusesBadImages() throws Exception {
    assertRefused(segment("-i", file("no.png"), "--point", "1,1"), "no.png: there is no such file");
    byte[] whole = Files.readAllBytes(Path.of(SCENE0));
    Path half = Files.write(temp.resolve("half.png"), Arrays.copyOf(whole, whole.length / 2));
    assertRefused(
        segment("-i", half.toString(), "--point", "1,1"), "half.png: is damaged or truncated");
    ByteBuffer.wrap(whole).putInt(16, 60_000).putInt(20, 60_000);
    Path bomb = Files.write(temp.resolve("bomb.png"), whole);
    assertRefused(
        segment("-i", bomb.toString(), "--point", "1,1"), "bomb.png: is 60000 x 60000 pixels");
  }

  @Test
  void saysWhichThresholdsToLowerWhereNothingIsFound() throws Exception {
    Result result =
        segment("-i", SCENE0, "-e", "--points-per-side", "1", "--pred-iou-thresh", "2", "--json");
    assertEquals(0, result.code(), result.err());
    assertEquals(0, result.json().at("/0/masks").size(), result.out());
    assertTrue(result.err().contains("--pred-iou-thresh 0.5"), result.err());
  }

  /// Whatever was written is named, on stdout or in the JSON.
  @Test
  void namesTheFilesThatItWrote() {
    String mask = file("named.png");
    String overlay = file("named-overlay.png");
    Result text =
        InProcess.gatun("segment", "-i", SCENE0, "--point", "159,139", "--overlay", overlay);
    assertTrue(text.out().endsWith("wrote " + overlay + "\n"), text.out());
    Result both =
        InProcess.gatun(
            "segment", "-i", SCENE0, "--point", "159,139", "-o", mask, "--overlay", overlay);
    assertTrue(both.out().startsWith(mask + ": score"), both.out());
    assertTrue(both.out().endsWith("wrote " + overlay + "\n"), both.out());
    Result all = InProcess.gatun("segment", "-i", SCENE0, "--everything", "--overlay", overlay);
    assertTrue(all.out().endsWith(" masks\nwrote " + overlay + "\n"), all.out());
  }

  @Test
  void namesFilesInJson() throws Exception {
    String mask = file("json.png");
    Result result =
        InProcess.gatun("segment", "-i", SCENE0, "--point", "159,139", "-o", mask, "--json");
    assertEquals(mask, result.json().at("/0/files/0").asText(), result.out());
    assertEquals(SCENE0, result.json().at("/0/image").asText());
  }

  /// A drawn scene is what the model that comes with Gatun knows; a photograph is not.
  @Test
  void warnsOfPhotographs() {
    var pixels = Arena.ofAuto().allocate(64 * 64 * 3);
    var random = new Random(1);
    for (int i = 0; i < pixels.byteSize(); i++) {
      pixels.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
    }
    String photo = file("photo.png");
    Image.of(64, 64, 3, pixels).write(Path.of(photo));
    String warning = "tiny-sam knows drawn shapes only";
    Result drawn = InProcess.gatun("segment", "-i", SCENE0, "--point", "9,9", "-o", file("d.png"));
    assertFalse(drawn.err().contains(warning), drawn.err());
    Result text = InProcess.gatun("segment", "-i", photo, "--point", "9,9", "-o", file("d.png"));
    assertTrue(text.err().contains(warning), text.err());
    Result json = InProcess.gatun("segment", "-i", photo, "--point", "9,9", "--json");
    assertFalse(json.err().contains(warning), json.err());
  }

  @Test
  void refusesFoldersWithoutImages() throws Exception {
    Path empty = Files.createDirectories(temp.resolve("empty"));
    assertRefused(
        segment("-i", empty.toString(), "--point", "1,1", "--json"), "has no images", ".webp");
    assertRefused(
        segment("-i", SCENES.toString(), "--point", "1,1"), "say where to write: --out DIR");
  }

  /// The three scenes.
  private static Path folder(String name) throws IOException {
    Path folder = Files.createDirectory(temp.resolve(name));
    for (int i = 0; i < 3; i++) {
      String scene = "scene" + i + ".png";
      Files.copy(SCENES.resolve(scene), folder.resolve(scene));
    }
    return folder;
  }

  @ParameterizedTest
  @CsvSource({
    "coco, coco.json, ",
    "jsonl, lines.jsonl, ",
    "yolo, yolo, .txt",
    "labelme, labelme, .json",
    "geojson, geojson, .geojson",
    "index, index, .png",
  })
  void annotations(String format, String path, String ending) throws Exception {
    Path images = folder("images-" + format);
    Path to = temp.resolve(path);
    String[] line = {
      "-i",
      images.toString(),
      "--point",
      "159,139",
      "--annotations",
      to.toString(),
      "--format",
      format,
      "--label",
      "thing"
    };
    done(line);
    var json = new ObjectMapper();
    if (ending != null) {
      for (int i = 0; i < 3; i++) {
        Path file = to.resolve("scene" + i + ending);
        assertTrue(Files.size(file) > 50, file.toString());
        if (ending.endsWith("json")) {
          assertTrue(Files.readString(file).contains("\"thing\""));
          assertTrue(json.readTree(file.toFile()).isObject());
        }
      }
      // Left out where it is there, made again where it is not.
      Path gone = to.resolve("scene1" + ending);
      byte[] before = Files.readAllBytes(gone);
      Files.delete(gone);
      String[] again = Arrays.copyOf(line, line.length + 1);
      again[line.length] = "--resume";
      assertEquals(1, done(again).err().split("encoded in", -1).length - 1);
      assertArrayEquals(before, Files.readAllBytes(gone));
    } else if (format.equals("coco")) {
      var tree = json.readTree(to.toFile());
      assertEquals(3, tree.get("images").size());
      assertEquals(3, tree.get("annotations").size());
      assertEquals("thing", tree.get("categories").get(0).get("name").asText());
    } else {
      String all = Files.readString(to);
      assertEquals(3, all.lines().count());
      // Cut off within the last line.
      Files.writeString(to, all.substring(0, all.length() - 20));
      String[] again = Arrays.copyOf(line, line.length + 1);
      again[line.length] = "--resume";
      assertEquals(1, done(again).err().split("encoded in", -1).length - 1);
      var names = new TreeSet<String>();
      for (String text : Files.readAllLines(to)) {
        names.add(Path.of(json.readTree(text).get("image").asText()).getFileName().toString());
      }
      assertEquals("[scene0.png, scene1.png, scene2.png]", names.toString());
    }
  }

  private Path lines(String name, String... lines) throws IOException {
    return Files.writeString(temp.resolve(name), String.join("\n", lines) + "\n");
  }

  /// Lines of one image stand anywhere; each gives what the same prompt gives alone.
  @Test
  void aBatchOfPrompts() throws Exception {
    Path images = folder("images-batch");
    Path file =
        lines(
            "batch.jsonl",
            "{\"image\": \"scene0.png\", \"points\": [[159, 139]], \"label\": \"star\"}",
            "{\"image\": \"scene2.png\", \"points\": [[63, 159], [5, 5, 0]]}",
            "",
            "{\"image\": \"scene0.png\", \"box\": [0, 10, 74, 109], \"label\": \"ring\"}");
    String[] line = {
      "--images", images.toString(), "--batch-file", file.toString(), "--dtype", "f32"
    };
    var out = temp.resolve("batch-out");
    var json = done(with(line, "--json", "--out", out.toString())).json();
    assertEquals(2, json.size());
    assertEquals("scene0.png", Path.of(json.at("/0/image").asText()).getFileName().toString());
    assertEquals(2, json.at("/0/masks").size());
    assertEquals(1, json.at("/1/masks").size());
    assertEquals("star", json.at("/0/masks/0/label").asText());
    assertTrue(json.at("/1/masks/0/label").isMissingNode());
    var alone = done("-i", SCENE0, "--point", "159,139", "--dtype", "f32", "--json").json();
    assertEquals(alone.at("/0/masks/0/segmentation"), json.at("/0/masks/0/segmentation"));
    var boxed = done("-i", SCENE0, "-b", "0,10,74,109", "--dtype", "f32", "--json").json();
    assertEquals(boxed.at("/0/masks/0/segmentation"), json.at("/0/masks/1/segmentation"));
    assertTrue(Files.exists(out.resolve("scene0-2.png")));

    String yolo = file("batch-yolo");
    done(with(line, "--annotations", yolo, "--format", "yolo", "--label", "thing"));
    assertEquals("star\nring\nthing\n", Files.readString(Path.of(yolo, "classes.txt")));
    var objects = Files.readAllLines(Path.of(yolo, "scene0.txt"));
    assertEquals("0 ", objects.get(0).substring(0, 2));
    assertEquals("1 ", objects.get(1).substring(0, 2));
    // Images that are done are left out.
    Files.delete(Path.of(yolo, "scene2.txt"));
    var again =
        done(with(line, "--annotations", yolo, "--format", "yolo", "--label", "thing", "--resume"));
    assertEquals(1, again.err().split("encoded in", -1).length - 1);
    assertTrue(Files.exists(Path.of(yolo, "scene2.txt")));
  }

  private static String[] with(String[] line, String... more) {
    String[] all = Arrays.copyOf(line, line.length + more.length);
    System.arraycopy(more, 0, all, line.length, more.length);
    return all;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "no json|line 1 is no JSON",
        "[1]|line 1 is no JSON object",
        "{\"point\": [1, 2]}|line 1 has \"point\"; need some of [box, image, label, points, text]",
        "{\"label\": \"x\"}|line 1 does not say what to segment",
        "{\"points\": [1, 2]}|line 1 \"points\" has 1; need [x, y] or [x, y, 0]",
        "{\"points\": [[1, 2, 3]]}|labelled 3; need 1 or 0",
        "{\"points\": 7}|line 1 \"points\" is 7",
        "{\"box\": [1, 2, 3]}|need [x0, y0, x1, y1]",
        "{\"box\": [9, 9, 3, 3]}|line 1 the box 9,9,3,3 ends before it begins",
        "{\"box\": [1, 1, 3, 3], \"text\": \"a cat\"}|line 1 has a \"text\"",
        "{\"text\": 5}|\"text\" is 5; need a text",
        "{\"image\": \"other.png\", \"box\": [1, 1, 3, 3]}|for several images give their folder",
        "{\"points\": [[300, 1]]}|line 1: the point 300,1 is outside the image",
        "``|--batch-file has no lines",
      })
  void refusesLines(String line, String words) throws Exception {
    Path file = Files.writeString(temp.resolve("wrong.jsonl"), line);
    assertRefused(segment("-i", SCENE0, "--batch-file", file.toString(), "--json"), words);
  }

  @Test
  void aBatchOfAFolderNamesItsImages() throws Exception {
    Path images = folder("images-named");
    String point = "\"points\": [[300, 1]]}";
    Path unnamed = lines("unnamed.jsonl", "{" + point);
    Path unknown = lines("unknown.jsonl", "{\"image\": \"x.png\", " + point);
    Path outside = lines("outside.jsonl", "{\"image\": \"../scene0.png\", " + point);
    Path one =
        lines(
            "one.jsonl",
            "{\"image\": \"scene0.png\", " + point,
            "{\"image\": \"scene2.png\", " + point);
    String[] line = {"-i", images.toString(), "--json", "--batch-file"};
    assertRefused(segment(with(line, unnamed.toString())), "\"image\" is missing");
    assertRefused(segment(with(line, unknown.toString())), "there is no file");
    assertRefused(segment(with(line, outside.toString())), "need the name of a file in the folder");
    assertRefused(segment(with(line, unnamed.toString(), "--point", "1,1")), "leave out --point");
    assertRefused(segment(with(line, unnamed.toString(), "-e")), "--batch-file has the prompts");
    // The second image is larger.
    Result result = segment(with(line, one.toString()));
    assertEquals(2, result.code());
    assertTrue(result.err().contains("scene0.png: line 1: the point 300,1 is outside"));
    assertEquals(1, result.json().size());
  }

  @Test
  void softEdges() {
    done("-i", SCENE0, "--point", "159,139", "--cutout", file("hard.png"));
    done("-i", SCENE0, "--point", "159,139", "--cutout", file("soft.png"), "--feather", "3");
    Image hard = Image.read(temp.resolve("hard.png"));
    Image soft = Image.read(temp.resolve("soft.png"));
    int between = 0;
    for (int y = 0; y < 256; y++) {
      for (int x = 0; x < 256; x++) {
        int inside = 0;
        int n = 0;
        for (int v = Math.max(0, y - 3); v <= Math.min(255, y + 3); v++) {
          for (int u = Math.max(0, x - 3); u <= Math.min(255, x + 3); u++) {
            inside += hard.get(u, v, 3) > 0 ? 1 : 0;
            n++;
          }
        }
        int alpha = soft.get(x, y, 3);
        assertEquals(Math.round(255.0 * inside / n), alpha);
        between += alpha > 0 && alpha < 255 ? 1 : 0;
      }
    }
    assertTrue(between > 100);
    assertRefused(segment("-i", SCENE0, "--point", "1,1", "--feather", "3"), "--feather");
  }

  /// With weights that know nothing: what is asked for is a box and a point.
  @Test
  void aText() {
    String clipSeg = TestData.shared("seg-random/clipseg").toString();
    String[] line = {
      "-i", SCENE0, "--text", "a cat", "--text-model", clipSeg, "-o", file("text.png")
    };
    Result result = done(line);
    assertTrue(result.out().contains("text.png: score"), result.out());
    String[] json = Arrays.copyOf(line, line.length + 1);
    json[line.length] = "--json";
    assertTrue(done(json).out().contains("\"prompt\" : \"Prompt(points "));
    String[] sure = Arrays.copyOf(line, line.length + 2);
    sure[line.length] = "--text-threshold";
    sure[line.length + 1] = "1";
    assertRefused(segment(sure), "nothing looks like \"a cat\"");
    String[] both = Arrays.copyOf(line, line.length + 2);
    both[line.length] = "--point";
    both[line.length + 1] = "1,1";
    assertRefused(segment(both), "--text says which object is meant");
  }

  /// SAM 2.1, with weights that know nothing: each form of prompt gives a mask of the image's size.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {"--point 159,139", "--box 100,90,220,200", "--everything"})
  void sam2(String prompt) throws IOException {
    String model = TestData.shared("seg-random/sam21").toString();
    String out = file("sam2" + prompt.replace(" ", "") + ".png");
    String[] words = prompt.split(" ", -1);
    String[] more = {
      "-i",
      SCENE0,
      "-m",
      model,
      "--dtype",
      "f32",
      "--overlay",
      out,
      "--json",
      "--pred-iou-thresh",
      "0",
      "--stability-score-thresh",
      "0",
      "--points-per-side",
      "4"
    };
    String[] line = Arrays.copyOf(more, words.length == 1 ? more.length : 9);
    String[] all = Arrays.copyOf(line, line.length + words.length);
    System.arraycopy(words, 0, all, line.length, words.length);
    var masks = new ObjectMapper().readTree(done(all).out()).get(0).get("masks");
    assertTrue(masks.size() > 0);
    assertEquals("[256,256]", masks.get(0).get("segmentation").get("size").toString());
    assertEquals("Image(256 x 256 RGB)", Image.read(Path.of(out)).toString());
  }
}
