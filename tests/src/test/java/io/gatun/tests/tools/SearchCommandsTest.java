package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun index` and `gatun ask` as a user types them.
class SearchCommandsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path temp;
  private String docs;

  @BeforeEach
  void write() throws Exception {
    Path folder = Files.createDirectory(temp.resolve("docs"));
    docs = folder.toString();
    Files.writeString(folder.resolve("rain.txt"), "Clouds.\n\nRain falls over the garden.\n");
    Files.writeString(folder.resolve("fox.md"), "A fox jumps over the dog.\n");
    Files.writeString(folder.resolve("data.bin"), "1");
  }

  private static String embedder(String name) {
    return TestData.complete(TestData.ROOT.resolve("tests/src/test/resources/encoder/" + name))
        .toString();
  }

  private static JsonNode json(String... args) throws Exception {
    Result result = InProcess.gatun(args);
    assertEquals(0, result.code(), result.err());
    return JSON.readTree(result.out());
  }

  private static void refused(String why, String... args) {
    Result result = InProcess.gatun(args);
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains(why), result.err());
    assertEquals("", result.out());
  }

  @Test
  void byWords() throws Exception {
    Result first = InProcess.gatun("index", docs);
    assertEquals(0, first.code(), first.err());
    String counted =
        """
        .gatun-index: 2 documents, 2 passages
          2 new or changed, 0 unchanged, 0 removed, 1 files of other kinds
        """;
    assertTrue(first.out().endsWith(counted), first.out());
    Files.delete(Path.of(docs, "fox.md"));
    var again = json("index", docs, "--json");
    assertEquals(List.of(0, 1, 1), counts(again));

    Result found =
        InProcess.gatun("ask", "--index", docs, "--sources-only", "where does rain fall");
    assertEquals(0, found.code(), found.err());
    assertEquals(
        "[1] %s:1\n    Clouds.\n    \n    Rain falls over the garden.\n"
            .formatted(Path.of(docs, "rain.txt")),
        found.out());
    assertEquals(
        "{\"sources\":[]}",
        json("ask", "--index", docs, "--sources-only", "--json", "zebra").toString());
  }

  private static List<Integer> counts(JsonNode report) {
    return List.of(
        report.get("added").intValue(),
        report.get("unchanged").intValue(),
        report.get("removed").intValue());
  }

  @Test
  void byMeaningAndWithAnAnswer() throws Exception {
    String index = temp.resolve("index").toString();
    assertEquals(
        List.of(2, 0, 0),
        counts(json("index", docs, "--index", index, "-m", embedder("minilm-l6"), "--json")));
    // With the embedder that the index knows.
    var sources =
        json("ask", "--index", index, "--sources-only", "--json", "Rain falls over the garden.")
            .get("sources");
    assertEquals(2, sources.size());
    String rain = Path.of(docs, "rain.txt").toString();
    // The embedder is not a trained one: it may like the other text better.
    var first = sources.get(sources.get(0).get("source").asText().equals(rain) ? 0 : 1);
    assertEquals(rain, first.get("source").asText());
    assertEquals("Clouds.\n\nRain falls over the garden.", first.get("text").asText());
    assertEquals(0, first.get("start").asInt());
    assertEquals(36, first.get("end").asInt());
    assertEquals(1, first.get("word_rank").asInt());
    assertTrue(first.get("vector_rank").asInt() > 0);

    String llm = TestData.pretrained("tiny-llm").toString();
    String[] ask = {"ask", "--index", index, "-m", llm, "--max-tokens", "5", "--temp", "0"};
    var asked = new ArrayList<>(List.of(ask));
    asked.addAll(List.of("--mode", "words", "--passages", "1", "rain?"));
    Result answer = InProcess.gatun(asked.toArray(String[]::new));
    assertEquals(0, answer.code(), answer.err());
    assertTrue(
        answer.out().matches("(?s).+\n\n\\[1] \\Q" + docs + "\\E/rain\\.txt:1\n"), answer.out());
  }

  /// The same question is answered once, while nothing has changed that the answer depends on.
  @Test
  void answersAreGivenAgain() throws Exception {
    assertEquals(0, InProcess.gatun("index", docs, "-m", embedder("minilm-l6")).code());
    String cache = temp.resolve("cache").toString();
    String llm = TestData.pretrained("tiny-llm").toString();
    List<String> ask = asking(llm, cache);
    var first = asked(ask, "5", "rain?");
    assertTrue(first.err().contains("was not asked before"), first.err());
    assertTrue(first.err().contains("0 of 1 questions answered by it (0.0 %), 0.0 s"), first.err());
    var again = asked(ask, "5", "rain?");
    assertEquals(first.out(), again.out());
    assertTrue(again.err().contains("the same question was answered before"), again.err());
    assertTrue(again.err().contains("1 of 2 questions answered by it (50.0 %)"), again.err());
    var json = JSON.readTree(asked(ask, "5", "--json", "rain?").out());
    assertEquals("same", json.get("cached").asText());
    assertEquals(first.out().split("\n\n\\[1]", -1)[0], json.get("text").asText());
    assertEquals(1, json.get("sources").size());

    // Another length, other documents, another wording.
    assertTrue(asked(ask, "6", "rain?").err().contains("2 of 4"));
    assertTrue(asked(ask, "5", "Rain?").err().contains("2 of 5"));
    Files.writeString(Path.of(docs, "snow.txt"), "Snow is no rain.");
    assertEquals(0, InProcess.gatun("index", docs).code());
    assertTrue(asked(ask, "5", "rain?").err().contains("2 of 6"));

    refused("add --cache DIR", "ask", "--index", docs, "--explain", "rain?");
    refused("add --cache DIR", "ask", "--index", docs, "--wrong-hits", "0.1", "rain?");
    refused("makes no answer", "ask", "--index", docs, "--sources-only", "--cache", cache, "rain?");
    refused(
        "0.5", "ask", "--index", docs, "--cache", cache, "--wrong-hits", "0.7", "-m", llm, "rain?");
    // Similar questions: until enough pairs are known, none is answered by another's answer.
    String similar = temp.resolve("similar").toString();
    List<String> loose = asking(llm, similar);
    asked(loose, "5", "--wrong-hits", "0.1", "does rain fall?");
    var like = asked(loose, "5", "--wrong-hits", "0.1", "does rain fall");
    assertTrue(like.err().contains("to \"does rain fall?\""), like.err());
    assertTrue(like.err().contains("0 of 2 questions"), like.err());
  }

  /// What asks, up to the number of tokens.
  private List<String> asking(String llm, String cache) {
    return List.of(
        "ask",
        "--index",
        docs,
        "-m",
        llm,
        "--mode",
        "words",
        "--passages",
        "1",
        "--temp",
        "0",
        "--cache",
        cache,
        "--explain",
        "-n");
  }

  /// Sentences are looked for that stand nowhere else, in paragraphs of words of their own.
  @Test
  void howOftenTheRightPassageIsFound() throws Exception {
    var text = new StringBuilder("A HEADING\n\n");
    var random = new SplittableRandom(5);
    for (int i = 0; i < 30; i++) {
      String own = word(random) + " " + word(random) + " " + word(random) + " " + word(random);
      for (int k = 0; k < 5; k++) {
        text.append("Here ").append(word(random)).append(" and ").append(own).append(" are. ");
      }
      text.append("\n\n");
    }
    Path file = Files.writeString(temp.resolve("text.txt"), text);
    var found =
        json(
            "evaluate",
            "search",
            "--file",
            file.toString(),
            "--questions",
            "20",
            "--reranker",
            embedder("bert-reranker"),
            "--candidates",
            "6",
            "--json");
    assertEquals(30, found.get("paragraphs").asInt());
    assertEquals(20, found.get("questions").asInt());
    var recall = found.get("recall");
    for (String way : List.of("words", "vectors", "hybrid")) {
      assertEquals(1, recall.get(way).asDouble(), found.toString());
    }
    // The reranker was taught nothing; of ten or so it chooses five.
    assertTrue(recall.get("reranked").asDouble() >= 0.2, found.toString());
    Result few =
        InProcess.gatun("evaluate", "search", "--file", file.toString(), "--passages", "1");
    assertEquals(0, few.code(), few.err());
    assertTrue(few.out().contains("words     recall@1 "), few.out());
    refused(
        "no paragraph has 200 characters",
        "evaluate",
        "search",
        "--file",
        Path.of(docs, "fox.md").toString());
    refused("no such file", "evaluate", "search", "--file", docs + "/gone.txt");
  }

  private static String word(SplittableRandom random) {
    var letters = new StringBuilder();
    random.ints(9, 'a', 'z' + 1).forEach(letters::appendCodePoint);
    return letters.toString();
  }

  private static Result asked(List<String> ask, String... more) {
    var all = new ArrayList<>(ask);
    all.addAll(List.of(more));
    Result result = InProcess.gatun(all.toArray(String[]::new));
    assertEquals(0, result.code(), result.err());
    return result;
  }

  @Test
  void mistakes() throws Exception {
    String index = temp.resolve("index").toString();
    refused("holds no index; make one with gatun index", "ask", "--index", docs, "rain?");
    refused("say with --index DIR where the index is", "index", docs + "/fox.md");
    refused("holds other files", "index", docs, "--index", docs);
    assertEquals(0, InProcess.gatun("index", docs, "--index", index).code());
    refused(
        "vectors are asked for; this index has none",
        "ask",
        "--index",
        index,
        "--mode",
        "vectors",
        "rain?");
    refused(
        "was made without an embedder",
        "index",
        docs,
        "--index",
        index,
        "-m",
        embedder("minilm-l6"));
    // Others are indexed, and the exit code says that one is not.
    Files.write(Path.of(docs, "broken.txt"), new byte[] {'a', (byte) 0xE9});
    Result partly = InProcess.gatun("index", docs, "--index", index);
    assertEquals(2, partly.code());
    assertTrue(
        partly.err().contains("not indexed: " + docs + "/broken.txt: is not UTF-8"), partly.err());
    assertTrue(partly.out().contains("2 unchanged"), partly.out());
  }
}
