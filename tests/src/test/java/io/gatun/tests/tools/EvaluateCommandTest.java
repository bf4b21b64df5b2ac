package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.image.Image;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun evaluate` with tiny-llm, and `gatun evaluate sam` with tiny-sam.
class EvaluateCommandTest {
  @TempDir private static Path temp;

  private static Result evaluate(Path images, Path annotations, String... more) {
    String[] args = {
      "evaluate", "sam", "--images", images.toString(), "--annotations", annotations.toString()
    };
    String[] all = Arrays.copyOf(args, args.length + more.length);
    System.arraycopy(more, 0, all, args.length, more.length);
    return InProcess.gatun(all);
  }

  private static Path data(String name) {
    return TestData.shared("mini-coco/" + name);
  }

  @Test
  void tableFileAndPlotSayTheSame() throws Exception {
    Path csv = temp.resolve("all.csv");
    Path plot = temp.resolve("all.png");
    String[] options = {
      "--limit",
      "2",
      "--dtype",
      "f32",
      "--quantize",
      "int8",
      "--compare",
      "f32",
      "--json",
      "--csv",
      csv.toString(),
      "--plot",
      plot.toString()
    };
    Result result = evaluate(data("images"), data("annotations.json"), options);
    assertEquals(0, result.code(), result.err());
    JsonNode found = new ObjectMapper().readTree(result.out());
    assertEquals(2, found.get("images").asInt());
    assertEquals("int8", found.get("quantize").asText());
    assertTrue(found.get("mIoU").asDouble() > 0.5, result.out());
    double agreement = found.get("agreement").asDouble();
    assertTrue(agreement > 0.95 && agreement < 1, result.out());
    List<String> lines = Files.readAllLines(csv);
    assertEquals(1 + found.get("annotations").asInt(), lines.size());
    double mean =
        lines.stream()
            .skip(1)
            .mapToDouble(l -> Double.parseDouble(l.split(",", -1)[9]))
            .average()
            .orElseThrow();
    assertEquals(found.get("mIoU").asDouble(), mean, 1e-12);
    assertEquals(640, Image.read(plot).width());
  }

  @Test
  void wrongFilesAreRefusedBeforeTheModelIsLoaded() throws Exception {
    Path none = temp.resolve("none");
    assertRefused(evaluate(none, data("annotations.json")), none + "");
    assertRefused(evaluate(temp, none), none + "");
    assertRefused(evaluate(temp, data("annotations.json"), "--csv", "x.txt"), ".csv");
    assertRefused(evaluate(temp, data("annotations.json"), "--compare", "int8"), "bf16, f32");
    Path file = temp.resolve("annotations.json");
    Files.writeString(file, "{\"annotations\":[]}");
    assertRefused(evaluate(temp, file), "no annotations");
    String one =
        "{\"images\":[{\"id\":1,\"file_name\":\"../secret.png\",\"width\":9,\"height\":9}],"
            + "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":1,"
            + "\"segmentation\":[[0,0,5,0,5,5]]}]}";
    Files.writeString(file, one);
    assertRefused(evaluate(temp, file), "outside");
    Files.writeString(file, one.replace("../secret", "absent"));
    assertRefused(evaluate(temp, file), "absent.png");
    Image.read(TestData.pretrained("tiny-sam/scene0.png")).write(temp.resolve("absent.png"));
    assertRefused(evaluate(temp, file), "9 x 9");
  }

  @Test
  void languageModelsBesideTheFirst() throws Exception {
    Path text = TestData.pretrained("tiny-llm/heldout.txt");
    Path file =
        Files.writeString(temp.resolve("text.txt"), Files.readString(text).substring(0, 500));
    String[] line = {
      "evaluate",
      "-m",
      "tiny-llm",
      "-m",
      "tiny-llm",
      "-c",
      "64",
      "-f",
      file.toString(),
      "--choices",
      TestData.shared("choices/context.jsonl").toString(),
      "--limit",
      "2"
    };
    String[] asJson = Arrays.copyOf(line, line.length + 1);
    asJson[line.length] = "--json";
    Result result = InProcess.gatun(asJson);
    assertEquals(0, result.code(), result.err());
    JsonNode second = new ObjectMapper().readTree(result.out()).get("models").get(1);
    assertEquals(1, second.get("perplexity_ratio").asDouble());
    assertEquals(0, second.get("kl_divergence").asDouble());
    assertEquals(1, second.get("same_top").asDouble());
    assertEquals(2, second.get("questions").asInt());
    assertEquals(1, second.get("acc").asDouble());
    assertEquals(16, second.get("bits_per_weight").asDouble(), 0.01);
    String table = InProcess.gatun(line).out();
    assertTrue(table.contains("+0.00 +- 0.00 %"), table);
    assertTrue(table.contains("acc_norm"), table);
  }

  @Test
  void languageModelsNeedSomethingToRead() throws Exception {
    assertRefused(InProcess.gatun("evaluate"), "--file TEXT, --choices JSONL");
    Path bad = Files.writeString(temp.resolve("bad.jsonl"), "{}\n");
    assertRefused(InProcess.gatun("evaluate", "--choices", bad.toString()), "bad.jsonl:1: ");
  }
}
