package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.ClipPrompt;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.clip.PromptWeights;
import io.gatun.models.clip.PromptWeights.Part;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Prompts and the tokens that OpenAI's, Hugging Face's and diffusers' code make of them.
class ClipTokenizerTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int START = 49406;
  private static final int END = 49407;
  private static final String DROPPED =
      "colour contrast , 8 k resolution , thick brush strokes , heavy texture , film grain ,"
          + " extremely detailed background , golden ratio";

  /// simple_tokenizer.py's ids, from the vocabulary in the program and from vocab.json.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void simpleTokenizer(boolean builtIn) throws Exception {
    JsonNode expected =
        JSON.readTree(
            TestData.ROOT
                .resolve("tests/src/test/resources/clip/simple-tokenizer-ids.json")
                .toFile());
    var tokenizer =
        builtIn
            ? ClipTokenizer.openAi()
            : ClipTokenizer.load(TestData.shared("sdxl-tiny-random/tokenizer"));
    assertEquals(77, tokenizer.length());
    assertEquals(16, expected.path("cases").size());
    for (JsonNode each : expected.path("cases")) {
      String text = each.path("text").asText();
      int[] ids = tokenizer.encode(text).ids()[0];
      assertArrayEquals(padded(ints(each.path("ids")), END), ids, text);
    }
  }

  @ParameterizedTest
  @CsvSource({"tokenizer, 49407", "tokenizer_2, 0"})
  void sdxlTokenizers(String folder, int pad) throws Exception {
    JsonNode info = JSON.readTree(TestData.shared("sdxl-tiny-random/golden/info.json").toFile());
    var read = ClipTokenizer.load(TestData.shared("sdxl-tiny-random/" + folder));
    var builtIn = pad == 0 ? ClipTokenizer.openClip() : ClipTokenizer.openAi();
    for (int i = 0; i < 5; i++) {
      String prompt = info.path("prompts").get(i).asText();
      int[] expected = ints(info.path("token_ids").path(folder).get(i));
      ClipPrompt found = read.encode(prompt);
      assertArrayEquals(expected, found.ids()[0], prompt);
      assertArrayEquals(expected, builtIn.encode(prompt).ids()[0], prompt);
      assertFalse(found.isWeighted());
      assertEquals(i == 1 ? DROPPED : "", found.dropped());
    }
  }

  @Test
  void tinyVocabulary() throws Exception {
    Path model = TestData.pretrained("tiny-sd");
    JsonNode goldens = JSON.readTree(model.resolve("goldens.json").toFile());
    var tokenizer = ClipTokenizer.load(model.resolve("tokenizer"));
    assertEquals(24, tokenizer.length());
    for (int i = 0; i < 5; i++) {
      String caption = goldens.path("captions").get(i).asText();
      int[] expected = ints(goldens.path("input_ids").get(i));
      assertArrayEquals(expected, tokenizer.encode(caption).ids()[0], caption);
    }
  }

  /// What is written differently and means the same.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "don't “stop” | don’t \\u0022stop\\u0022",
        "a café & bar | a cafe\\u0301 &amp;amp; bar",
        "a < b > c é ' | a &lt; b &gt; c &eacute; &#39;",
        "office file | o\\uFB03ce \\uFB01le",
        "full width 12! | \\uFF26\\uFF35\\uFF2C\\uFF2C\\u3000width \\uFF11\\uFF12\\uFF01",
        "a b | a\\u0000\\u200A \\t\\n\\u00A0b\\u001B[31m",
        "euro € x | euro &#x20AC; &#120;",
        "&nonesuch; &#0; | &NONESUCH; &#0;",
      })
  void cleaning(String plain, String written) {
    var tokenizer = ClipTokenizer.openAi();
    String raw = unescape(written);
    assertArrayEquals(tokenizer.encode(plain).ids()[0], tokenizer.encode(raw).ids()[0], written);
    assertTrue(Arrays.stream(tokenizer.encode(plain).ids()[0]).filter(i -> i != END).count() > 2);
  }

  private static String unescape(String text) {
    return Pattern.compile("\\\\u([0-9A-F]{4})")
        .matcher(text.replace("\\t", "\t").replace("\\n", "\n"))
        .replaceAll(
            m -> Matcher.quoteReplacement(Character.toString(Integer.parseInt(m.group(1), 16))));
  }

  /// The examples in AUTOMATIC1111's prompt_parser.py.
  @Test
  void weights() {
    assertParts("normal text", "normal text", 1.0);
    assertParts("an (important) word", "an ", 1.0, "important", 1.1, " word", 1.0);
    assertParts("(unbalanced", "unbalanced", 1.1);
    assertParts("\\(literal\\]", "(literal]", 1.0);
    assertParts("(unnecessary)(parens)", "unnecessaryparens", 1.1);
    assertParts(
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        "a ",
        1.0,
        "house",
        1.573,
        " ",
        1.1,
        "on",
        1.0,
        " a ",
        1.1,
        "hill",
        0.55,
        ", sun, ",
        1.1,
        "sky",
        1.4641,
        ".",
        1.1);
    assertParts("[less] 3:4) x", "less", 1 / 1.1, " 3:4) x", 1.0);
    assertParts("a\\b \\\\ (c: -.5 )", "ab \\ ", 1.0, "c", -0.5);
    assertParts("");
    assertEquals(
        List.of(new Part("one", 1), Part.BREAK, new Part("two", 1.1), new Part(" BREAKs", 1)),
        PromptWeights.parse("one BREAK (two) BREAKs"));
  }

  private static void assertParts(String prompt, Object... expected) {
    List<Part> found = PromptWeights.parse(prompt);
    assertEquals(expected.length / 2, found.size(), prompt + " " + found);
    for (int i = 0; i < found.size(); i++) {
      assertEquals(expected[2 * i], found.get(i).text(), prompt);
      assertEquals((double) expected[2 * i + 1], found.get(i).weight(), 1e-9, prompt);
    }
  }

  @Test
  void weightedPromptsInChunks() {
    var tokenizer = ClipTokenizer.openAi();
    var short_ = tokenizer.encodeWeighted("a (red:1.5) [cat]");
    int[] ids = tokenizer.encode("a red cat").ids()[0];
    assertArrayEquals(ids, short_.ids()[0]);
    float[] weights = new float[77];
    Arrays.fill(weights, 1);
    weights[2] = 1.5f;
    weights[3] = (float) (1 / 1.1);
    assertArrayEquals(weights, short_.weights()[0]);
    assertTrue(short_.isWeighted());

    var long_ = tokenizer.encodeWeighted("cat ".repeat(80) + "BREAK dog");
    assertEquals(3, long_.chunks());
    for (int[] chunk : long_.ids()) {
      assertEquals(77, chunk.length);
      assertEquals(START, chunk[0]);
      assertEquals(END, chunk[76]);
    }
    int cat = long_.ids()[0][1];
    assertEquals(cat, long_.ids()[0][75]);
    assertEquals(cat, long_.ids()[1][5]);
    assertEquals(END, long_.ids()[1][6]);
    assertFalse(long_.isWeighted());

    var padded = short_.padded(3, tokenizer.encode(""));
    assertEquals(3, padded.chunks());
    assertArrayEquals(tokenizer.encode("").ids()[0], padded.ids()[2]);
    assertArrayEquals(ids, padded.ids()[0]);
  }

  /// Two chunks of two tokens with states of two: the weighted one keeps its mean.
  @Test
  void weightsScaleStates() {
    var prompt = new ClipPrompt(new int[][] {{1, 2}, {3, 4}}, new float[][] {{1, 3}, {1, 1}}, "");
    float[] states = {1, 2, 3, 4, 5, 6, 7, 8};
    prompt.applyWeights(states);
    // 1, 2, 9, 12 sum to 24, before to 10.
    float f = 10 / 24f;
    assertArrayEquals(new float[] {f, 2 * f, 9 * f, 12 * f, 5, 6, 7, 8}, states, 1e-6f);
  }

  @Test
  void damagedFoldersAreRefused(@TempDir Path folder) throws Exception {
    refused(folder, "no tokenizer");
    Files.writeString(folder.resolve("vocab.json"), "{\"a\": 0}");
    refused(folder, "merges.txt");
    Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\na b\n");
    refused(folder, "the merge of \"a\" and \"b\"");
    Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\nab\n");
    refused(folder, "needs two pieces");
    Files.writeString(folder.resolve("vocab.json"), "{\"a\": -4}");
    refused(folder, "ids go from 0");
    Files.writeString(folder.resolve("vocab.json"), "{\"a\"");
    refused(folder, "cannot be read");
    Files.writeString(folder.resolve("merges.txt"), "");
    Files.writeString(folder.resolve("vocab.json"), "{\"a\": 0, \"<|endoftext|>\": 1}");
    refused(folder, "lacks <|startoftext|>");
    Files.writeString(
        folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
    refused(folder, "tokenizer_class is GPT2Tokenizer");
  }

  private static void refused(Path folder, String message) {
    var refused = assertThrows(CheckpointException.class, () -> ClipTokenizer.load(folder));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }

  private static int[] padded(int[] ids, int pad) {
    int[] out = new int[77];
    Arrays.fill(out, pad);
    out[0] = START;
    System.arraycopy(ids, 0, out, 1, ids.length);
    out[ids.length + 1] = END;
    return out;
  }

  private static int[] ints(JsonNode list) {
    var out = new int[list.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = list.get(i).asInt();
    }
    return out;
  }
}
