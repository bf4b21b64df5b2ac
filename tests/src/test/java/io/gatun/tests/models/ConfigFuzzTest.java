package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.diffusion.schedulers.SchedulerConfig;
import io.gatun.models.diffusion.schedulers.Schedulers;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.text.Tokenizers;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tests.Limits;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Configurations with values that no maker would write: each is answered within [Limits], by a
/// model or by an error of the user's, whose message is short.
@Execution(ExecutionMode.CONCURRENT)
class ConfigFuzzTest {
  private static final int MUTATIONS = 2000;
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final List<String> VALUES =
      List.of(
          "null",
          "true",
          "false",
          "0",
          "1",
          "2",
          "-1",
          "3.5",
          "1e308",
          "-1e308",
          "1e-320",
          "65536",
          "2147483647",
          "-2147483648",
          "2147483648",
          "9223372036854775807",
          "99999999999999999999999999",
          "\"\"",
          "\"x\"",
          "\"NaN\"",
          "[]",
          "{}",
          "[[]]",
          "[1]",
          "[0]",
          "[-1]",
          "[2147483647]",
          "[1,2,3,4]",
          "{\"a\": 1}",
          "[null]",
          "[\"a\"]",
          "{\"type\": \"linear\", \"factor\": 0}",
          "{\"rope_type\": \"llama3\", \"factor\": 1e300}");

  @TempDir Path temp;

  private interface Opening {
    void open() throws IOException;
  }

  @ParameterizedTest
  @CsvSource({
    "tiny-llm, config.json",
    "tiny-llm, generation_config.json",
    "tiny-sam, config.json",
    "tiny-sd, model_index.json",
    "tiny-sd, scheduler/scheduler_config.json",
    "tiny-sd, text_encoder/config.json",
    "tiny-sd, unet/config.json",
    "tiny-sd, vae/config.json"
  })
  void mutations(String model, String name) throws IOException {
    Path dir = links(TestData.pretrained(model));
    Path file = dir.resolve(name);
    String original = Files.readString(file);
    Files.delete(file);
    int opened = 0;
    for (int seed = 0; seed < MUTATIONS; seed++) {
      byte[] mutated = mutate(original, new Random(seed)).getBytes(StandardCharsets.UTF_8);
      Files.write(file, mutated);
      try {
        opened += Limits.within(() -> answer(() -> open(dir, name))) ? 1 : 0;
      } catch (RuntimeException | Error e) {
        String text = new String(mutated, StandardCharsets.UTF_8);
        fail("seed %d: %s".formatted(seed, text.substring(0, Math.min(2000, text.length()))), e);
      }
    }
    assertTrue(opened > 0 && opened < MUTATIONS, opened + " of " + MUTATIONS + " opened");
  }

  private static boolean answer(Opening opening) {
    try {
      opening.open();
      return true;
    } catch (CheckpointException | IllegalArgumentException e) {
      assertFalse(e.getMessage() == null || e.getMessage().length() > 3000, e.getMessage());
      return false;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static void open(Path dir, String name) {
    switch (name) {
      case "config.json" -> {
        try (var checkpoint = Checkpoint.open(dir.resolve("model.safetensors"))) {
          if (checkpoint.tensors().containsKey("lm_head.weight")
              || checkpoint.tensors().containsKey("model.norm.weight")) {
            assertTrue(Architectures.open(checkpoint).config().headDim() > 0);
          } else {
            assertTrue(SamConfig.of(checkpoint, 0).decoderHeads() > 0);
          }
        }
      }
      case "generation_config.json" ->
          assertTrue(Tokenizers.load(dir, Map.of()).encode("a b").length > 0);
      default -> {
        try (var files = PipelineFiles.open(dir, LoadMode.MAP)) {
          part(files, name);
        }
      }
    }
  }

  private static void part(PipelineFiles files, String name) {
    switch (name) {
      case "unet/config.json" ->
          new UNet2DConditionModel(
              UNet2DConditionConfig.of(files.config("unet")), files.weights("unet"));
      case "vae/config.json" ->
          new AutoencoderKL(AutoencoderKLConfig.of(files.config("vae")), files.weights("vae"));
      case "text_encoder/config.json" ->
          new CLIPTextModel(
              CLIPTextConfig.of(files.config("text_encoder")), files.weights("text_encoder"));
      case "scheduler/scheduler_config.json" -> {
        var scheduler = Schedulers.of(new SchedulerConfig(files.config("scheduler")));
        scheduler.setTimesteps(4);
        assertTrue(scheduler.sigmas().length > 0);
      }
      default -> assertFalse(files.folder("unet").toString().isEmpty());
    }
    files.requireAllUsed(false);
  }

  /// A directory with links to another's files, so that one can be replaced.
  private Path links(Path from) throws IOException {
    Path to = Files.createTempDirectory(temp, "model");
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.createSymbolicLink(target, file.toAbsolutePath());
        }
      }
    }
    return to;
  }

  private static String mutate(String original, Random random) throws IOException {
    if (random.nextInt(10) == 0) {
      return damage(original, random);
    }
    JsonNode json = JSON.readTree(original);
    for (int n = random.nextInt(1, 4); n > 0; n--) {
      var places = new ArrayList<JsonNode>();
      collect(json, places);
      JsonNode place = places.get(random.nextInt(places.size()));
      JsonNode value =
          random.nextInt(300) == 0
              ? JSON.readTree("[1" + ",1".repeat(20_000) + "]")
              : JSON.readTree(VALUES.get(random.nextInt(VALUES.size())));
      if (place instanceof ObjectNode object && !object.isEmpty()) {
        var keys = new ArrayList<String>();
        object.fieldNames().forEachRemaining(keys::add);
        String key = keys.get(random.nextInt(keys.size()));
        switch (random.nextInt(8)) {
          case 0 -> object.remove(key);
          case 1 -> object.set("new_" + n, value);
          default -> object.set(key, value);
        }
      } else if (place instanceof ArrayNode array && !array.isEmpty()) {
        array.set(random.nextInt(array.size()), value);
      }
    }
    return json.toString();
  }

  private static void collect(JsonNode json, List<JsonNode> places) {
    if (json.isContainerNode()) {
      places.add(json);
      json.forEach(child -> collect(child, places));
    }
  }

  /// Text that is no JSON any more, or too deep or long.
  private static String damage(String original, Random random) {
    int at = random.nextInt(original.length());
    String rest = original.substring(at);
    return switch (random.nextInt(5)) {
      case 0 -> original.substring(0, at);
      case 1 -> original.substring(0, at) + (char) random.nextInt(256) + rest;
      case 2 -> original.substring(0, at) + "[".repeat(100_000) + rest;
      case 3 -> original.substring(0, at) + "9".repeat(50_000) + rest;
      default -> original.substring(0, at) + "{\"a\":".repeat(3000) + rest;
    };
  }
}
