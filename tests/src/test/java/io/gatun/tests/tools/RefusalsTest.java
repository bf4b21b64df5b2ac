package io.gatun.tests.tools;

import static io.gatun.tests.tools.Launcher.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What the commands that run a language model say to users who ask for what cannot be.
class RefusalsTest {
  @TempDir private static Path temp;

  private static Result generate(String... args) throws Exception {
    String[] all = Arrays.copyOf(new String[] {"generate", "-n", "4"}, 3 + args.length);
    System.arraycopy(args, 0, all, 3, args.length);
    return InProcess.gatun(all);
  }

  /// A copy of tiny-llm with one of its JSON files changed.
  private static String tinyWith(String file, Consumer<ObjectNode> change) throws IOException {
    Path copy = Files.createTempDirectory(temp, "model");
    for (String name :
        new String[] {
          "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
        }) {
      Files.copy(TestData.pretrained("tiny-llm").resolve(name), copy.resolve(name));
    }
    if (file.endsWith(".json")) {
      var mapper = new ObjectMapper();
      var json = (ObjectNode) mapper.readTree(copy.resolve(file).toFile());
      change.accept(json);
      mapper.writeValue(copy.resolve(file).toFile(), json);
    }
    return copy.toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"generate", "chat", "perplexity", "tokenize"})
  void aModelThatIsNotThere(String command) throws Exception {
    assertRefused(
        InProcess.gatun(command, "--model", "nowhere.gguf"), "nowhere.gguf", "no such file");
  }

  @Test
  void aTruncatedFile() throws Exception {
    String model = tinyWith("", json -> {});
    Path file = Path.of(model, "model.safetensors");
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertRefused(generate("--model", model), "model.safetensors", "truncated");
  }

  @Test
  void aConfigurationThatDisagreesWithItsTensors() throws Exception {
    String model = tinyWith("config.json", json -> json.put("intermediate_size", 384));
    assertRefused(
        generate("--model", model),
        "mlp.gate_proj.weight\" is (352, 128) BF16; need (384, 128)",
        "intermediate_size=384",
        "gatun inspect");
  }

  @Test
  void aConfigurationWithMoreLayersThanTheFile() throws Exception {
    String model = tinyWith("config.json", json -> json.put("num_hidden_layers", 7));
    assertRefused(generate("--model", model), "model.layers.6.", "is missing", "7 layers");
  }

  @Test
  void anUnknownArchitecture() throws Exception {
    String model = tinyWith("config.json", json -> json.put("model_type", "gpt_bigcode"));
    assertRefused(
        generate("--model", model), "config.json", "gpt_bigcode", "llama, ministral3, mistral");
  }

  @Test
  void aPromptLongerThanTheContext() throws Exception {
    assertRefused(
        generate("--context", "8", "--prompt", "First Citizen: Before we proceed any further"),
        "tokens; the context holds 8",
        "Shorten it");
  }

  @Test
  void aContextBeyondTheModelsIsOnlyWarnedOf() throws Exception {
    Result result = generate("--context", "513", "--prompt", "KING");
    assertEquals(0, result.code(), result.err());
    assertTrue(
        result.err().contains("--context 513 is more than the 512 tokens that the model"),
        result.err());
  }

  @Test
  void nothingToBeginWith() throws Exception {
    String model = tinyWith("tokenizer.json", json -> json.remove("post_processor"));
    assertRefused(generate("--model", model, "--prompt", ""), "the prompt is empty", "Give");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--kv", "--precision", "--backend", "--load"})
  void anUnknownChoice(String option) throws Exception {
    assertRefused(generate(option, "q3"), option, "'q3' is not one of", "gatun generate --help");
  }

  /// Also of a chat, which has nothing to choose before its first question.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--temp -1|temperature is -1.0; need 0 or more",
        "--top-k -1|top-k is -1; need 0",
        "--top-p 2|top-p is 2.0; need above 0 and at most 1",
        "--min-p 1.5|min-p is 1.5; need 0 to 1",
        "--repeat-penalty 0|repeat penalty is 0.0; need above 0",
        "--repeat-last-n -2|repeat last-n is -2; need 0 or more, or -1 for all",
        "--presence-penalty 101|presence penalty is 101.0; need -100 to 100",
        "--frequency-penalty NaN|frequency penalty is NaN; need -100 to 100",
        "--typical-p 0|typical-p is 0.0; need above 0 and at most 1",
        "--dry-multiplier -1|DRY multiplier is -1.0; need 0 or more",
        "--dry-base .5|DRY base is 0.5; need 1 or more",
        "--dry-allowed-length 0|DRY allowed length is 0; need 1 or more",
        "--dry-last-n -2|DRY last-n is -2; need 0 or more, or -1 for all",
        "--dry-breaker=|'--dry-breaker' (TEXT): it is empty",
        "--logit-bias -1=2|a token with a logit bias is -1; need 0 or more",
        "--logit-bias 5=NaN|the logit bias of token 5 is NaN; need a number, or -Infinity",
        "--stop=|'--stop' (TEXT): it is empty",
        "--cache-limit 0G|'0G' is no size such as 500M or 50G",
        "--threads 4097|threads is 4097; need 1 to 4096",
      })
  void valuesOutOfRange(String options, String message) throws Exception {
    for (String command : new String[] {"generate", "chat"}) {
      assertRefused(InProcess.gatun((command + " " + options).split(" ")), message);
    }
  }

  @Test
  void aDirectoryForAText() throws Exception {
    assertRefused(
        InProcess.gatun("perplexity", "-f", temp.toString()),
        temp + ": is a directory; need a file");
  }

  @Test
  void aTextThatIsNotUtf8() throws Exception {
    Path file = Files.write(temp.resolve("latin1.txt"), new byte[] {'a', (byte) 0xE9, 'b'});
    for (String command : new String[] {"generate", "perplexity", "tokenize"}) {
      assertRefused(InProcess.gatun(command, "-f", file.toString()), "latin1.txt", "not UTF-8");
    }
  }

  @Test
  void aTextTooShortToMeasure() throws Exception {
    Path file = Files.createFile(temp.resolve("empty.txt"));
    assertRefused(
        InProcess.gatun("perplexity", "-f", file.toString()),
        "the text has 1 tokens",
        "at least 2");
  }

  @Test
  void windowsWithGapsBetweenThem() throws Exception {
    assertRefused(
        InProcess.gatun("perplexity", "--context", "16", "--stride", "17"), "stride is 17", "16");
  }

  @Test
  void noTextToMeasureWith() throws Exception {
    assertRefused(
        InProcess.gatun("perplexity", "--model", tinyWith("", json -> {})),
        "heldout.txt",
        "Give --file");
  }

  @Test
  void idsThatAreNone() throws Exception {
    for (String ids : new String[] {"1,x", "1,,2", ",1", "1,", "[1,2", "", "1;2"}) {
      assertRefused(InProcess.gatun("tokenize", "--decode", ids), "'" + ids + "'", "such as 1,2,3");
    }
    assertRefused(
        InProcess.gatun("tokenize", "--decode", "4096"), "token id 4096 is not in the vocabulary");
    assertRefused(InProcess.gatun("tokenize", "--decode", "1", "--prompt", "a"), "--prompt");
  }

  @Test
  void quantizingByMethods() {
    String[] start = {"quantize", "-m", "tiny-llm", "-o", temp.resolve("q").toString()};
    assertRefused(gatun(start, "--method", "gptq"), "--calibrate FILE");
    assertRefused(gatun(start, "--method", "awq"), "--method awq needs texts", "--calibrate FILE");
    assertRefused(
        gatun(start, "--method", "awq", "--mode", "q4_0", "--calibrate", "a"), "knows no --method");
    assertRefused(gatun(start, "--calibrate", "a.txt"), "rtn reads no texts", "gptq");
    assertRefused(gatun(start, "--method", "hqq", "--samples", "3"), "hqq reads no texts");
    assertRefused(gatun(start, "--mode", "q4_0", "--method", "hqq"), "q4_0 knows no --method");
    assertRefused(gatun(start, "--mode", "q8_0", "--head-bits", "8"), "knows no");
    assertRefused(gatun(start, "--head-bits", "5"), "5 bits for the head");
    assertRefused(gatun(start, "--method", "awqq"), "rtn");
    assertRefused(gatun(start, "--bits", "4.5"), "--bits needs texts", "--calibrate FILE");
    for (String wrong : new String[] {"3.9", "8.1", "NaN"}) {
      assertRefused(gatun(start, "--bits", wrong, "--calibrate", "a"), "need 4 to 8");
    }
    assertRefused(gatun(start, "--bits", "5", "--mode", "int8"), "with --mode int4");
    assertRefused(gatun(start, "--bits", "5", "--mode", "q4_0"), "with --mode int4");
  }

  private static Result gatun(String[] start, String... more) {
    return InProcess.gatun(Stream.of(start, more).flatMap(Arrays::stream).toArray(String[]::new));
  }
}
