package io.gatun.tests.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tests.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Tokenizers that are damaged or made to do harm: what they do is either right or a
/// [CheckpointException], soon and in little memory.
@Execution(ExecutionMode.CONCURRENT)
class TokenizerAttacksTest {
  /// Times are the thread's own, so that a busy machine does not count.
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path RESOURCES = TestData.ROOT.resolve("tests/src/test/resources/text");
  private static final int MUTATIONS = 2000;
  private static final String TEXT =
      "Hello   <s> world's 12345 \u00FC\u65E5\uD83D\uDE42 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";

  /// What a value is replaced by.
  private static final List<String> EVIL =
      List.of(
          "null",
          "true",
          "-1",
          "0",
          "2147483647",
          "4294967296",
          "1e999",
          "-1e38",
          "0.5",
          "\"\"",
          "[]",
          "{}",
          "[[]]",
          "\"a\"",
          "\"\\u0000\"",
          "\"\\ud800\"",
          "\"(a*)*b\"",
          "\"(\"",
          "\"(a)\\\\1\"",
          "\"((a?){30}){30}(?!)\"",
          "\"\\u2581\"",
          "{\"Regex\": \"(a|aa)+$\"}",
          "{\"String\": \"\"}",
          "{\"type\": \"Sequence\"}",
          "{\"type\": \"NFKD\"}",
          "{\"type\": \"ByteLevel\"}",
          "[\"a\", \"a\"]",
          "[1, 2]",
          "\"BPE\"",
          "\"Unigram\"");

  @TempDir Path dir;

  /// Classes are loaded and methods compiled before times are taken.
  @BeforeAll
  static void warmUp() throws IOException {
    var test = new TokenizerAttacksTest();
    test.dir = Files.createTempDirectory("warm-up");
    for (int i = 0; i < 20; i++) {
      test.answer("warm-up", () -> Tokenizers.load(TestData.pretrained("tiny-llm")));
    }
    Files.delete(test.dir);
  }

  /// The tokenizer, used for encoding and decoding, or null if it was refused; within limits.
  private Tokenizer answer(String what, Supplier<Tokenizer> load) {
    long allocated = THREADS.getCurrentThreadAllocatedBytes();
    long start = THREADS.getCurrentThreadCpuTime();
    Tokenizer result = null;
    try {
      Tokenizer tokenizer = load.get();
      for (boolean special : new boolean[] {true, false}) {
        for (int id : tokenizer.encode(TEXT, special, special)) {
          tokenizer.decode(id);
        }
      }
      result = tokenizer;
    } catch (CheckpointException e) {
      assertTrue(e.getMessage().length() < 2000, e.getMessage());
    } catch (RuntimeException | Error e) {
      throw new AssertionError(what, e);
    }
    double seconds = (THREADS.getCurrentThreadCpuTime() - start) / 1e9;
    long bytes = THREADS.getCurrentThreadAllocatedBytes() - allocated;
    assertTrue(seconds < 10, () -> what + " took " + seconds + " s");
    assertTrue(bytes < 256 << 20, () -> what + " took " + (bytes >> 20) + " MB");
    return result;
  }

  private Tokenizer ofJson(String json) {
    try {
      Files.write(dir.resolve("tokenizer.json"), json.getBytes(StandardCharsets.UTF_8));
      return Tokenizers.load(dir);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private Tokenizer ofModel(byte[] bytes) {
    try {
      Files.write(dir.resolve("tokenizer.model"), bytes);
      return Tokenizers.load(dir);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static JsonNode resource(String name) throws IOException {
    return JSON.readTree(Files.readString(RESOURCES.resolve(name)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama3", "metaspace-always", "unigram", "splits"})
  void mutatedJson(String name) throws IOException {
    JsonNode whole = resource("tokenizers/" + name + ".json").get("tokenizer");
    var random = new Random(name.hashCode());
    int refused = 0;
    for (int i = 0; i < MUTATIONS / 4; i++) {
      JsonNode mutated = whole.deepCopy();
      for (int n = random.nextInt(3); n >= 0; n--) {
        replaceOne(mutated, random);
      }
      String json = mutated.toString();
      if (i % 4 == 0) {
        int at = random.nextInt(json.length());
        json = json.substring(0, at) + (char) random.nextInt(128) + json.substring(at + 1);
      }
      String text = json;
      refused += answer(name + " " + i, () -> ofJson(text)) == null ? 1 : 0;
    }
    assertTrue(refused > 50 && refused < MUTATIONS / 4 - 20, refused + " refused");
  }

  /// Replaces, removes or doubles a value somewhere in the tree, outside the vocabulary more often.
  private static void replaceOne(JsonNode tree, Random random) throws IOException {
    JsonNode at = tree;
    while (true) {
      JsonNode next = child(at, random, null);
      if (next == null || !next.isContainerNode() || next.isEmpty() || random.nextInt(6) == 0) {
        child(at, random, JSON.readTree(EVIL.get(random.nextInt(EVIL.size()))));
        return;
      }
      at = next;
    }
  }

  /// A random child of an object or array; if `replacement` is given it takes the child's place.
  private static JsonNode child(JsonNode node, Random random, JsonNode replacement) {
    if (node instanceof ObjectNode object && !object.isEmpty()) {
      var names = new ArrayList<String>();
      object.fieldNames().forEachRemaining(names::add);
      String name = names.get(random.nextInt(names.size()));
      if (replacement != null) {
        object.set(name, replacement);
      }
      return object.get(name);
    }
    if (node instanceof ArrayNode array && !array.isEmpty()) {
      int index = random.nextInt(array.size());
      if (replacement != null) {
        array.set(index, replacement);
      }
      return array.get(index);
    }
    return null;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bpe-bytes", "unigram-rules"})
  void mutatedSentencePiece(String name) throws IOException {
    byte[] whole = Files.readAllBytes(RESOURCES.resolve("families/" + name + ".model"));
    var random = new Random(name.hashCode());
    int refused = 0;
    for (int i = 0; i < MUTATIONS / 2; i++) {
      byte[] bytes = whole.clone();
      // Half of the changes go to the end, where the trainer's and the normalizer's settings are.
      for (int n = random.nextInt(4); n >= 0; n--) {
        int at = random.nextInt(random.nextBoolean() ? bytes.length : 600);
        bytes[bytes.length - 1 - at] = (byte) random.nextInt(256);
      }
      byte[] cut = i % 10 == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
      refused += answer(name + " " + i, () -> ofModel(cut)) == null ? 1 : 0;
    }
    assertTrue(refused > 50 && refused < MUTATIONS / 2 - 50, refused + " refused");
  }

  @Test
  void mutatedGguf() throws IOException {
    var random = new Random(3);
    int refused = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      var metadata = i % 2 == 0 ? byteLevel() : sentencePiece();
      for (int n = random.nextInt(3); n >= 0; n--) {
        var keys = new ArrayList<>(metadata.keySet());
        String key = keys.get(random.nextInt(keys.size()));
        metadata.put(key, mutated(metadata.get(key), random));
      }
      refused +=
          answer("gguf " + i, () -> Tokenizers.load(Path.of("x.gguf"), metadata)) == null ? 1 : 0;
    }
    assertTrue(refused > 100 && refused < MUTATIONS - 100, refused + " refused");
  }

  private static Object mutated(Object value, Random random) {
    Object[] evil = {
      -1L,
      0L,
      7L,
      4294967295L,
      Long.MAX_VALUE,
      Float.NaN,
      Float.NEGATIVE_INFINITY,
      -3e38f,
      "",
      " ",
      "a",
      "\uD800",
      "a b",
      true,
      List.of(),
      List.of(1L, 2L),
      List.of("x"),
      "x".repeat(100_000)
    };
    Object other = evil[random.nextInt(evil.length)];
    if (!(value instanceof List<?> list) || list.isEmpty() || random.nextInt(8) == 0) {
      return other;
    }
    var copy = new ArrayList<Object>(list);
    switch (random.nextInt(4)) {
      case 0 -> copy.remove(random.nextInt(copy.size()));
      case 1 -> copy.add(copy.get(random.nextInt(copy.size())));
      case 2 -> Collections.swap(copy, random.nextInt(copy.size()), random.nextInt(copy.size()));
      default -> copy.set(random.nextInt(copy.size()), other);
    }
    return copy;
  }

  private static Map<String, Object> byteLevel() throws IOException {
    JsonNode data = BYTE_LEVEL;
    var map = new HashMap<String, Object>();
    map.put("tokenizer.ggml.model", "gpt2");
    map.put("tokenizer.ggml.pre", "llama-bpe");
    map.put("tokenizer.ggml.tokens", JSON.convertValue(data.get("tokens"), List.class));
    map.put("tokenizer.ggml.merges", JSON.convertValue(data.get("merges"), List.class));
    map.put("tokenizer.ggml.token_type", Collections.nCopies(data.get("tokens").size(), 1L));
    map.put("tokenizer.ggml.bos_token_id", 1L);
    map.put("tokenizer.ggml.eos_token_id", 2L);
    map.put("tokenizer.ggml.eot_token_id", 3L);
    map.put("tokenizer.ggml.add_bos_token", true);
    return map;
  }

  private static final JsonNode BYTE_LEVEL;

  static {
    try {
      BYTE_LEVEL = resource("families/byte-level.json");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static Map<String, Object> sentencePiece() {
    var tokens = new ArrayList<Object>(List.of("<unk>", "<s>", "</s>"));
    var types = new ArrayList<Object>(List.of(2L, 3L, 3L));
    for (int b = 0; b < 256; b++) {
      tokens.add("<0x%02X>".formatted(b));
      types.add(6L);
    }
    for (String piece :
        "\u2581 a e l o h H w r d ll lo llo He \u2581w or \u2581wor".split(" ", -1)) {
      tokens.add(piece);
      types.add(1L);
    }
    var map = new HashMap<String, Object>();
    map.put("tokenizer.ggml.model", "llama");
    map.put("tokenizer.ggml.tokens", tokens);
    map.put("tokenizer.ggml.token_type", types);
    map.put(
        "tokenizer.ggml.scores",
        IntStream.range(0, tokens.size()).mapToObj(i -> (float) -i).toList());
    map.put("tokenizer.ggml.bos_token_id", 1L);
    map.put("tokenizer.ggml.unknown_token_id", 0L);
    map.put("tokenizer.ggml.add_space_prefix", true);
    map.put("tokenizer.ggml.precompiled_charsmap", List.of());
    return map;
  }

  private static String bpe(String stages, String vocabulary) {
    return "{%s, \"model\": {\"type\": \"BPE\", \"vocab\": {%s}, \"merges\": []}}"
        .formatted(stages, vocabulary);
  }

  private static String split(String regex) {
    return bpe(
        "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": "
            + "{\"Regex\": "
            + JsonNodeFactory.instance.textNode(regex)
            + "}}",
        "\"a\": 0");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a+)+b",
        "(a|aa)+$",
        "(a|a)*b",
        "(.*)*x",
        "(.*a){12}b",
        "(?:a?){25}(?:a){25}b",
        "a*a*a*a*a*a*a*a*b",
        "(?=(a*a*a*a*)b)",
        "(?:a?|b?)(?:a?|b?)(?:a?|b?)(?:a?|b?)(?:a?|b?)(?:a?|b?)(?:a?|b?)(?:a?|b?)(?!)",
        "(a)\\1",
        "(?<x>a)\\k<x>",
        "(?:(?:){1000}){1000}(?!)",
        "(?x)a#[\n(b|c)",
        "[",
        "\\p{NoSuchScript}",
        "(?<!a*)b",
      })
  void patternsEndSoon(String regex) {
    String as = "a".repeat(20_000);
    answer(
        regex,
        () -> {
          Tokenizer tokenizer = ofJson(split(regex));
          tokenizer.encode(as);
          return tokenizer;
        });
    answer(regex.length() + " groups", () -> ofJson(split("(".repeat(9000) + ")".repeat(9000))));
    answer("long", () -> ofJson(split("a".repeat(1_000_000))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "(a)\\1 | refers back to a group",
        "( | is not one that Java understands: Unclosed group",
        "(a+)+b | takes too many steps",
      })
  void refusedPatternsSayWhy(String regex, String why) {
    String message =
        assertThrows(CheckpointException.class, () -> ofJson(split(regex)).encode("a".repeat(5000)))
            .getMessage();
    assertTrue(message.contains("tokenizer.json: the tokenizer's pattern \"" + regex), message);
    assertTrue(message.contains(why), message);
  }

  /// "Aa" and "BB" have the same `String.hashCode`, and so have all texts made of them.
  @Test
  void piecesOfEqualHash() {
    var json = new StringBuilder("{\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {");
    for (int i = 0; i < 1 << 16; i++) {
      json.append(i == 0 ? "" : ",").append('"').append(collision(i)).append("\": ").append(i);
    }
    Tokenizer tokenizer = answer("equal hashes", () -> ofJson(json.append("}}}").toString()));
    assertEquals(12345, tokenizer.id(collision(12345)).getAsInt());
  }

  private static String collision(int bits) {
    var text = new StringBuilder();
    for (int bit = 0; bit < 16; bit++) {
      text.append((bits >> bit & 1) == 0 ? "Aa" : "BB");
    }
    return text.toString();
  }

  @Test
  void manySpecialTokens() {
    var json = new StringBuilder("{\"added_tokens\": [");
    for (int i = 0; i < 100_000; i++) {
      json.append(i == 0 ? "" : ",")
          .append("{\"id\": ")
          .append(i + 1)
          .append(", \"special\": true, \"content\": \"<|reserved_")
          .append(i)
          .append("|>\"}");
    }
    json.append("], \"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"<\": 0}}}");
    Tokenizer tokenizer = answer("special tokens", () -> ofJson(json.toString()));
    long start = THREADS.getCurrentThreadCpuTime();
    int[] ids = tokenizer.encode("<|reserved_99999|>" + "<".repeat(100_000) + "<|reserved_7|>");
    assertTrue(THREADS.getCurrentThreadCpuTime() - start < 10_000_000_000L, "too slow");
    assertEquals(100_002, ids.length);
    assertEquals(100_000, ids[0]);
    assertEquals(8, ids[100_001]);
  }

  @Test
  void largeUnigramVocabularies() {
    var json = new StringBuilder("{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [");
    json.append("[\"<unk>\", 0]");
    for (int i = 1; i < 250_000; i++) {
      json.append(",[\"p").append(i).append("\", ").append(-i * 1e-3).append(']');
    }
    String text = json.append("]}}").toString();
    long start = THREADS.getCurrentThreadCpuTime();
    Tokenizer tokenizer = ofJson(text);
    double seconds = (THREADS.getCurrentThreadCpuTime() - start) / 1e9;
    assertTrue(seconds < 10, "loading took " + seconds + " s");
    assertArrayEquals(new int[] {77, 249_999}, tokenizer.encode("p77p249999"));
  }

  /// A megabyte without a space, as of base64 or of one character.
  @ParameterizedTest
  @ValueSource(strings = {"bpe-bytes.model", "unigram-rules.model", "byte-level"})
  void longTextsWithoutSpaces(String name) throws IOException {
    Tokenizer tokenizer =
        name.equals("byte-level")
            ? Tokenizers.load(Path.of("x.gguf"), byteLevel())
            : ofModel(Files.readAllBytes(RESOURCES.resolve("families/" + name)));
    byte[] random = new byte[750_000];
    new Random(1).nextBytes(random);
    for (String text :
        List.of(
            Base64.getEncoder().encodeToString(random),
            "a".repeat(1_000_000),
            " ".repeat(1_000_000),
            "\u65E5".repeat(300_000),
            "aA1!".repeat(250_000))) {
      long start = THREADS.getCurrentThreadCpuTime();
      int[] ids = tokenizer.encode(text, false, false);
      double seconds = (THREADS.getCurrentThreadCpuTime() - start) / 1e9;
      assertTrue(seconds < 20, "%s: %.4s... took %.1f s".formatted(name, text, seconds));
      if (!name.startsWith("unigram")) {
        assertEquals(text, tokenizer.decode(ids));
      }
    }
  }

  @Test
  void normalizersThatMultiply() {
    var stages = new ArrayList<String>();
    for (int i = 0; i < 60; i++) {
      stages.add(
          "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aaaa\"}");
    }
    String all = String.join(",", stages);
    String normalizer = "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" + all + "]}";
    String decoder = "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [" + all + "]}";
    answer("normalizers", () -> ofJson(bpe(normalizer, "\"a\": 0")));
    answer("decoders", () -> ofJson(bpe(decoder, "\"a\": 0")));
    stages.addAll(List.copyOf(stages));
    all = String.join(",", Collections.nCopies(200, String.join(",", stages)));
    String words = "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [" + all + "]}";
    answer("stages", () -> ofJson(bpe(words.replace("Replace", "Split"), "\"a\": 0")));
    String nested = "{\"type\": \"Sequence\", \"normalizers\": [";
    String deep = "\"normalizer\": " + nested.repeat(900) + "]}".repeat(900);
    answer("nested", () -> ofJson(bpe(deep, "\"a\": 0")));
  }

  /// Tries with circles, and replacements that are as long as the file.
  @Test
  void corruptCharacterMaps() throws IOException {
    var random = new Random(5);
    for (int i = 0; i < 500; i++) {
      int units = 1 << random.nextInt(11);
      int most = random.nextInt(3);
      ByteBuffer map = ByteBuffer.allocate(4 + 4 * units + 100_000).order(ByteOrder.LITTLE_ENDIAN);
      map.putInt(random.nextInt(20) == 0 ? random.nextInt() : 4 * units);
      for (int u = 0; u < units; u++) {
        map.putInt(
            switch (most) {
              case 0 -> random.nextInt();
              case 1 -> (u & 0xFF) | 0x100; // each label leads to itself, and has a rule
              default -> (u ^ 'a') << 10 | 0x100 | 'a';
            });
      }
      while (map.hasRemaining()) {
        map.put((byte) 'x');
      }
      String base64 = Base64.getEncoder().encodeToString(map.array());
      answer(
          "map " + i,
          () ->
              ofJson(
                  bpe(
                      "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \""
                          + base64
                          + "\"}",
                      "\"a\": 0")));
    }
    answer(
        "not base64",
        () ->
            ofJson(
                bpe(
                    "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"!\"}",
                    "\"a\": 0")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}} | both have the id 0",
        "{\"model\": {\"vocab\": {\"a\": -1}, \"merges\": []}} | has the id -1",
        "{\"model\": {\"vocab\": {}, \"merges\": []}} | no model.vocab with pieces",
        "{} | no model.vocab with pieces",
        "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a x\"]}} | the merge of \"a\" and"
            + " \"x\"",
        "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 5, \"vocab\": [[\"a\", 0]]}} | unk_id is"
            + " 5",
        "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1e30]]}} | the score of token 0",
        "{\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"a\", 9], \"sep\": [\"a\","
            + " 0]}, \"model\": {\"vocab\": {\"a\": 0}}} | the token 9, which is not in",
      })
  void damagedFilesSayWhatIsWrong(String json, String why) {
    String message = assertThrows(CheckpointException.class, () -> ofJson(json)).getMessage();
    assertTrue(message.contains("tokenizer.json: ") && message.contains(why), message);
  }

  /// A configuration whose ids are huge takes no memory for them.
  @Test
  void hugeIdsInConfigurations() throws IOException {
    String json = bpe("\"normalizer\": null", "\"a\": 0");
    for (String config :
        List.of(
            "{\"eos_token_id\": 2147483647}",
            "{\"bos_token_id\": 2147483647}",
            "{\"eos_token_id\": [0, 2147483647, -5, null]}")) {
      for (String name : List.of("config.json", "generation_config.json")) {
        Files.writeString(dir.resolve(name), config);
        answer(name + " " + config, () -> ofJson(json));
        Files.delete(dir.resolve(name));
      }
    }
    Files.writeString(
        dir.resolve("tokenizer_config.json"),
        "{\"added_tokens_decoder\": {\"9999999\": {\"content\": \"far\", \"special\": true}}}");
    Tokenizer tokenizer = answer("far", () -> ofJson(json));
    assertEquals(9_999_999, tokenizer.id("far").getAsInt());
  }

  /// Text that spells a control token stays text where it is not to be trusted.
  @Test
  void controlTokensAreNotMadeByMerging() {
    var metadata = sentencePiece();
    var tokens = new ArrayList<>((List<?>) metadata.get("tokenizer.ggml.tokens"));
    var types = new ArrayList<>((List<?>) metadata.get("tokenizer.ggml.token_type"));
    var scores = new ArrayList<>((List<?>) metadata.get("tokenizer.ggml.scores"));
    var grown = new ArrayList<Object>(tokens);
    var grownTypes = new ArrayList<Object>(types);
    var grownScores = new ArrayList<Object>(scores);
    for (String piece : List.of("<", "/", "s", ">", "</", "</s")) {
      grown.add(piece);
      grownTypes.add(1L);
      grownScores.add(-1f);
    }
    metadata.put("tokenizer.ggml.tokens", grown);
    metadata.put("tokenizer.ggml.token_type", grownTypes);
    metadata.put("tokenizer.ggml.scores", grownScores);
    Tokenizer tokenizer = Tokenizers.load(Path.of("x.gguf"), metadata);
    for (int id : tokenizer.encode("</s>", false, false)) {
      assertTrue(!tokenizer.isSpecial(id), tokenizer.piece(id));
    }
    assertEquals("</s>", tokenizer.decode(tokenizer.encode("</s>", false, false)));
  }

  @Test
  void truncatedSentencePieceModels() throws IOException {
    byte[] whole = Files.readAllBytes(RESOURCES.resolve("families/bpe-bytes.model"));
    for (int length = 1; length < whole.length; length += 37) {
      byte[] cut = Arrays.copyOf(whole, length);
      answer("cut at " + length, () -> ofModel(cut));
    }
    var out = new ByteArrayOutputStream();
    out.write("\n\u00FF".getBytes(StandardCharsets.ISO_8859_1));
    answer("a length without end", () -> ofModel(out.toByteArray()));
  }
}
