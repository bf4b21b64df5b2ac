package io.gatun.tests.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Llm;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tensor.ops.Precision;
import io.gatun.tests.RandomWeights;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Engines of models with recurrent states, windows, latent keys and experts.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineStatesTest {
  private static final Path RESOURCES = TestData.ROOT.resolve("tests/src/test/resources");

  @TempDir Path dir;

  private Llm load(String architecture) throws IOException {
    Path from = RESOURCES.resolve("llm/" + architecture);
    Files.copy(from.resolve("config.json"), dir.resolve("config.json"));
    RandomWeights.write(from.resolve("weights.json"), dir.resolve("model.safetensors"));
    var tokenizer =
        new ObjectMapper()
            .readTree(Files.readString(RESOURCES.resolve("text/tokenizers/llama-legacy.json")));
    Files.writeString(dir.resolve("tokenizer.json"), tokenizer.get("tokenizer").toString());
    return Llm.load(dir, o -> o.threads(2).precision(Precision.F32).context(512));
  }

  @ParameterizedTest
  @ValueSource(strings = {"lfm2", "qwen3_next", "falcon_h1", "mistral", "deepseek_v2", "mixtral"})
  void prefixesAndPreemptionChangeNothing(String architecture) throws Exception {
    try (var llm = load(architecture)) {
      int vocabulary = llm.model().config().vocabSize();
      var prompts = new int[6][];
      int[] shared = new Random(1).ints(200, 0, vocabulary).toArray();
      for (int i = 0; i < prompts.length; i++) {
        prompts[i] = Arrays.copyOf(shared, 200 + i);
        prompts[i][199] = i;
      }
      var alone = new int[prompts.length][];
      for (int i = 0; i < prompts.length; i++) {
        try (var engine = Engine.open(llm, o -> o.batchInvariant(true).prefixCache(false))) {
          alone[i] = engine.submit(request(prompts[i])).await().tokens();
        }
      }
      // Room for about two of them.
      long memory = 9 * llm.layout().pageBytes() + 14 * llm.layout().recurrentBytes();
      try (var engine = Engine.open(llm, o -> o.batchInvariant(true).chunk(128).memory(memory))) {
        for (int round = 0; round < 2; round++) {
          var handles = Arrays.stream(prompts).map(p -> engine.submit(request(p))).toList();
          for (int i = 0; i < prompts.length; i++) {
            assertArrayEquals(alone[i], handles.get(i).await().tokens(), "prompt " + i);
          }
        }
        assertTrue(engine.stats().cachedTokens() >= 128, engine.stats().toString());
      }
      try (var engine = Engine.open(llm)) {
        engine.submit(request(prompts[0])).await();
        var usage = engine.submit(request(prompts[1])).await().usage();
        assertEquals(192, usage.cachedTokens());
      }
    }
  }

  private static Request request(int[] prompt) {
    return Request.of(prompt)
        .sampling(SamplingOptions.DEFAULT.withSeed(prompt.length))
        .maxTokens(40)
        .ignoreEnd(true);
  }
}
