package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.DType;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun tokenize`, `gatun perplexity` and `gatun jshell`, in process but for the last.
class TextCommandsTest {
  @TempDir private static Path temp;

  private static Result gatun(String... args) {
    Result result = InProcess.gatun(args);
    assertEquals(0, result.code(), result.err());
    return result;
  }

  @Test
  void tokenizeListsIdsAndPieces() throws Exception {
    assertEquals(
        """
          0  <s>
        457  KING
        684  ĠRICHARD
         60  :
        """,
        gatun("tokenize", "--prompt", "KING RICHARD:").out());
  }

  @Test
  void tokenizeReadsStandardInput() throws Exception {
    JsonNode json = InProcess.reading("é</s>", "tokenize", "--json").json();
    assertEquals("[0,197,171,1]", json.get("ids").toString());
    assertEquals("[\"<s>\",\"Ã\",\"©\",\"</s>\"]", json.get("pieces").toString());
    assertEquals("é</s>", json.get("text").asText());
    JsonNode plain =
        InProcess.reading("é</s>", "tokenize", "--json", "--no-special", "--plain").json();
    assertEquals(197, plain.at("/ids/0").asInt());
    assertTrue(plain.get("ids").size() > 3, "</s> is one token, though it should be text");
  }

  @Test
  void tokenizeDecodes() throws Exception {
    assertEquals("<s>KING RICHARD\n", gatun("tokenize", "--decode", "0,457,684").out());
    assertEquals("KING RICHARD\n", gatun("tokenize", "--no-special", "-d", "[0, 457, 684]").out());
  }

  @Test
  void tokenizeNeedsNoWeights() throws Exception {
    Path folder = Files.createDirectories(temp.resolve("vocabulary"));
    Files.copy(TestData.pretrained("tiny-llm/tokenizer.json"), folder.resolve("tokenizer.json"));
    Result result = gatun("tokenize", "--model", folder.toString(), "--prompt", "KING");
    assertTrue(result.out().contains("457"), result.out());
  }

  @Test
  void tokenizeReadsGguf() throws Exception {
    Path model = TestData.shared("llm-formats/model-f32.gguf");
    Result result = gatun("tokenize", "--model", model.toString(), "--prompt", "Once upon");
    assertTrue(result.out().matches("  1  <s>\n\\d+  ▁On\n\\d+  ce\n\\d+  ▁upon\n"), result.out());
  }

  @Test
  void generateGoesOnAsRecorded() throws Exception {
    Path model = TestData.shared("llm-formats/model-f32.gguf");
    JsonNode prompts =
        new ObjectMapper().readTree(model.resolveSibling("golden.json").toFile()).get("prompts");
    for (JsonNode each : prompts) {
      String prompt = each.get("text").asText();
      if (prompt.isEmpty()) {
        continue;
      }
      String count = "" + each.get("answer_ids").size();
      var result =
          gatun("generate", "-m", model.toString(), "-p", prompt, "-n", count, "--temp", "0", "-q");
      String all = prompt + each.get("answer").asText();
      assertTrue(all.strip().endsWith(result.out().strip()), result.out());
      assertTrue(result.out().strip().length() >= each.get("answer").asText().strip().length());
    }
  }

  @Test
  void perplexityIsTheRecordedOne() throws Exception {
    JsonNode golden =
        new ObjectMapper()
            .readTree(TestData.pretrained("tiny-llm/goldens.json").toFile())
            .get("perplexity");
    JsonNode found = gatun("perplexity", "--json", "--precision", "f32", "--kv", "f32").json();
    assertEquals(golden.get("perplexity").asDouble(), found.get("perplexity").asDouble(), 1e-3);
    assertEquals(golden.get("mean_nll_nats").asDouble(), found.get("nll").asDouble(), 1e-4);
    assertEquals(
        golden.get("bits_per_byte").asDouble(), found.get("bits_per_byte").asDouble(), 1e-4);
    assertEquals(golden.get("predicted_tokens").asInt(), found.get("tokens").asInt());
    assertEquals(golden.get("bytes").asInt(), found.get("bytes").asInt());
  }

  @Test
  void perplexityOfAFile() throws Exception {
    Path file = Files.writeString(temp.resolve("text.txt"), "KING RICHARD II:\nI am a king.\n");
    Result result = gatun("perplexity", "-f", file.toString(), "--context", "8", "--stride", "2");
    assertTrue(
        result.out().matches("(?s)perplexity \\d+\\.\\d{4} .* in windows of 8 tokens every 2;.*"),
        result.out());
  }

  /// The text lies beside the file that the user names, not beside the packed copy that is read.
  @Test
  void perplexityFindsItsTextBesideThePackedModel() throws Exception {
    Path model = Files.createDirectories(temp.resolve("packed")).resolve("tiny.gguf");
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-llm"));
        var workers = new Workers(2)) {
      Rewrite.gguf(checkpoint, DType.Block.Q8_0).write(model, workers, n -> {});
    }
    Files.writeString(model.resolveSibling("heldout.txt"), "KING RICHARD II:\nI am a king.\n");
    Result result = InProcess.cachedIn(temp.resolve("cache"), "perplexity", "-m", model.toString());
    assertEquals(0, result.code(), result.err());
    assertTrue(result.err().contains("packed"), "it was not packed: " + result.err());
    assertTrue(result.out().startsWith("perplexity "), result.out());
  }

  /// Figures of one short run, by code that is not yet compiled, say nothing of the memory.
  @Test
  void generateTellsItsSeedAndNoBandwidth() throws Exception {
    Result result = gatun("generate", "-p", "KING", "-n", "4", "--seed", "5");
    assertTrue(result.err().contains("seed 5]"), result.err());
    assertFalse(result.err().contains("GB/s"), result.err());
    assertFalse(result.err().contains("context"), result.err());
  }

  @Test
  void generateSaysThatTheContextIsFull() throws Exception {
    Result result = gatun("generate", "-q", "-p", "KING", "--context", "16", "--seed", "5");
    assertTrue(result.err().contains("the context of 16 tokens is full"), result.err());
    assertTrue(result.err().contains("--context-shift"), result.err());
    assertFalse(result.out().contains("context"), result.out());
  }

  @Test
  void jshellGenerates() throws Exception {
    String script =
        """
        var llm = Llm.load(Pretrained.path("tiny-llm"), o -> o.precision(Precision.F32))
        var greedy = SamplingOptions.GREEDY
        System.out.println(llm.generate("KING RICHARD II:\\n", o -> o.maxTokens(6).sampling(greedy)).text())
        System.out.println(llm.checkpoint().tensor("model.norm.weight"))
        System.out.println(Runtime.getRuntime().maxMemory() >> 20)
        """;
    Result result = Launcher.in(temp).reading(script).gatun("jshell", "-");
    assertEquals(0, result.code(), result.err());
    var lines = result.out().lines().toList();
    assertEquals("I am a brief", lines.get(0), result.out());
    assertTrue(lines.get(1).startsWith("BF16 (128,) [1.406, 1.531, "), result.out());
    assertTrue(lines.get(1).contains(" mean 1.531"), result.out());
    assertTrue(Integer.parseInt(lines.get(2)) <= 256, "the launcher's flags are not the snippets'");
  }
}
