package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.diffusion.schedulers.DDIMScheduler;
import io.gatun.models.diffusion.schedulers.KDPM2DiscreteScheduler;
import io.gatun.models.diffusion.schedulers.NoiseSchedule;
import io.gatun.models.diffusion.schedulers.Scheduler;
import io.gatun.models.diffusion.schedulers.SchedulerConfig;
import io.gatun.models.diffusion.schedulers.Schedulers;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.models.diffusion.schedulers.TCDScheduler;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntToDoubleFunction;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every step of diffusers' runs, and what configurations are refused.
class SchedulersTest {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  private static final float TOLERANCE = 1e-5f;

  /// Runs that begin at the last training step, whose number is cut after an interpolation in
  /// floats: recorded by one version of the reference as 998, by another, in [#otherOptions], 999.
  private static final Set<String> CUT = Set.of("dpmpp_2m_beta", "dpmpp_2m_exponential");

  static Stream<Arguments> recorded() throws IOException {
    var all = new ArrayList<Arguments>();
    for (String folder : List.of("schedulers", "diffusion-random/schedulers-more")) {
      Path file = TestData.shared(folder).resolve("schedulers.json");
      for (var golden : JSON.readTree(file.toFile()).path("schedulers").properties()) {
        all.add(Arguments.of(folder, golden.getKey()));
      }
    }
    assertEquals(59, all.size());
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("recorded")
  void everyStepIsTheReferences(String folder, String name) throws Exception {
    Path dir = TestData.shared(folder);
    JsonNode golden =
        JSON.readTree(dir.resolve("schedulers.json").toFile()).path("schedulers").path(name);
    try (var arrays = Checkpoint.open(dir.resolve("schedulers.safetensors"))) {
      int runs = 0;
      for (String array : arrays.tensors().keySet()) {
        if (array.startsWith(name + ".") && array.endsWith(".sample")) {
          String run = array.substring(name.length() + 1, array.length() - ".sample".length());
          if (golden.path("class").isNull()) {
            twoS(arrays, name + "." + run, name.endsWith("karras"));
          } else {
            new Run(arrays, name + "." + run).check(scheduler(golden), golden, run);
          }
          runs++;
        }
      }
      assertTrue(runs >= 1, runs + " runs of " + name);
    }
  }

  /// Recorded by k-diffusion's formula, from the images that a network would see.
  private static void twoS(Checkpoint arrays, String run, boolean karras) throws Exception {
    var config = sdxl().with("prediction_type", "sample").with("use_karras_sigmas", karras);
    Scheduler scheduler = Schedulers.byName("dpmpp_2s_a", config);
    var recorded = new Run(arrays, run);
    float[] sigmas = recorded.get("sigmas");
    int steps = sigmas.length - 1;
    scheduler.setTimesteps(steps);
    float[] sample = recorded.get("sample");
    for (int i = 0; i < steps; i++) {
      int step = i;
      recorded.close(
          "sigma " + i, new float[] {sigmas[i]}, new float[] {scheduler.sigmas()[2 * i]});
      sample = scheduler.step(recorded.get("denoised", 2 * i), sample, () -> new float[0]);
      if (i < steps - 1) {
        recorded.close("middle " + i, recorded.get("middle_samples", i), sample);
        sample =
            scheduler.step(
                recorded.get("denoised", 2 * i + 1), sample, () -> recorded.get("noise", step));
      }
      recorded.close("prev_samples " + i, recorded.get("prev_samples", i), sample);
    }
  }

  /// The sigmas of ComfyUI's rules.
  @ParameterizedTest
  @CsvSource({
    "sgm_uniform, SGM_UNIFORM, false",
    "normal, NORMAL, false",
    "simple, SIMPLE, false",
    "exponential, EXPONENTIAL, false",
    "beta, BETA, false",
    "karras, KARRAS, false",
    "ays_sd15, AYS, false",
    "ays_sdxl, AYS, true",
  })
  void spacings(String name, Spacing spacing, boolean xl) throws Exception {
    Path file = TestData.shared("diffusion-random/schedulers-more/schedulers.safetensors");
    try (var arrays = Checkpoint.open(file)) {
      for (int steps : new int[] {4, 10, 20}) {
        Scheduler scheduler = Schedulers.of(sdxl(), "euler", spacing, xl);
        scheduler.setTimesteps(steps);
        String run = "spacing.%s.%d".formatted(name, steps);
        new Run(arrays, run)
            .close("sigmas", new Run(arrays, run).get("sigmas"), scheduler.sigmas());
      }
    }
  }

  /// All schedulers with all spacings either make a run or say why not.
  @Test
  void spacingsOfSchedulers() throws Exception {
    int refused = 0;
    for (String name : Schedulers.all()) {
      for (var spacing : Spacing.values()) {
        try {
          Scheduler scheduler = Schedulers.of(sdxl(), name, spacing, true);
          scheduler.setTimesteps(6);
          float[] sigmas = scheduler.sigmas();
          for (int i = 1; i < sigmas.length; i++) {
            assertTrue(sigmas[i] <= sigmas[i - 1], name + " " + spacing);
          }
        } catch (IllegalArgumentException e) {
          assertTrue(e.getMessage().contains("--spacing"), e.getMessage());
          refused++;
        }
      }
    }
    // Of 10: DDIM and PNDM take three, those of distilled models none.
    assertEquals(2 * 7 + 2 * 10, refused);
  }

  private static Scheduler scheduler(JsonNode golden) {
    var config =
        new SchedulerConfig(new JsonKeys(golden.path("config"), "test"))
            .with("_class_name", golden.path("class").asText());
    double eta = golden.path("step_arguments").path("eta").asDouble();
    JsonNode given = golden.path("step_arguments").path("eta");
    if (config.className().equals("TCDScheduler")) {
      return new TCDScheduler(config, eta);
    }
    Scheduler scheduler =
        given.isMissingNode() || eta == 0 ? Schedulers.of(config) : new DDIMScheduler(config, eta);
    return scheduler;
  }

  /// One recorded run.
  private record Run(Checkpoint arrays, String name) {
    void check(Scheduler scheduler, JsonNode golden, String run) {
      int begin = run.endsWith("from8") ? 8 : 0;
      if (!golden.path("set_timesteps").isEmpty()) { // a table, of sigmas or of timesteps
        float[] table = get("sigmas");
        scheduler.table(steps -> IntStream.range(0, steps).mapToDouble(i -> table[i]).toArray());
      }
      scheduler.setTimesteps(Integer.parseInt(run.replace(".from8", "")), begin);
      if (begin == 0) {
        float[] timesteps = get("timesteps");
        if (CUT.contains(name.substring(0, name.indexOf('.')))) {
          assertEquals(timesteps[0] + 1, scheduler.timesteps()[0], name);
          timesteps[0]++;
        }
        close("timesteps", timesteps, scheduler.timesteps());
        double expected = golden.path("init_noise_sigma").path(run).asDouble();
        assertEquals(expected, scheduler.initNoiseSigma(), TOLERANCE * expected);
        if (has("sigmas") && scheduler instanceof KDPM2DiscreteScheduler) {
          // Recorded are those of first calls, most of them twice.
          float[] found = scheduler.sigmas();
          for (int i = 0; i < found.length; i += 2) {
            close("sigmas", new float[] {get("sigmas")[i]}, new float[] {found[i]});
          }
        } else if (has("sigmas")) {
          close("sigmas", get("sigmas"), scheduler.sigmas());
        }
      } else {
        float[] noised = scheduler.addNoise(get("clean"), get("clean_noise"));
        close("add_noise", get("sample"), noised);
      }
      float[] sample = get("sample");
      for (int i = 0; i < scheduler.timesteps().length; i++) {
        close("scaled_inputs", get("scaled_inputs", i), scheduler.scaleModelInput(sample));
        int step = i;
        Supplier<float[]> noise = () -> get("noise", step);
        float[] next = scheduler.step(get("model_outputs", i), sample, noise);
        float[] expected = get("prev_samples", i);
        // The reference subtracts in floats, of which a sigma of 4096 leaves few digits: these runs
        // go on from the recorded sample.
        boolean far = scheduler.initNoiseSigma() > 1000;
        float[] scale = far && i == 0 ? get("sample") : new float[0];
        assertClose(name + " prev_samples " + i, expected, next, TOLERANCE, scale);
        sample = far ? expected : next;
      }
      float[] last = sample;
      assertThrows(IllegalStateException.class, () -> scheduler.step(last, last, () -> last));
      assertArrayEquals(last, scheduler.addNoise(last, get("sample")));
    }

    private boolean has(String array) {
      return arrays.tensors().containsKey(name + "." + array);
    }

    private float[] get(String array) {
      return arrays.tensor(name + "." + array).toFloats();
    }

    private float[] get(String array, int step) {
      return arrays.tensor(name + "." + array).get(step).toFloats();
    }

    private void close(String what, float[] expected, float[] found) {
      assertClose(name + " " + what, expected, found, TOLERANCE);
    }
  }

  /// Equal within `tolerance` of the greatest magnitude in `expected` and `scale`.
  private static void assertClose(
      String what, float[] expected, float[] found, float tolerance, float... scale) {
    assertEquals(expected.length, found.length, what);
    double max =
        DoubleStream.concat(stream(expected), stream(scale)).map(Math::abs).max().orElse(0);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], tolerance * max, what + ", element " + i);
    }
  }

  @Test
  void trainingTables() throws Exception {
    var config =
        config(
            "{\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"beta_end\": 0.012}");
    var schedule = NoiseSchedule.of(config);
    try (var arrays = Checkpoint.open(TestData.shared("schedulers/schedulers.safetensors"))) {
      float[] expected = arrays.tensor("alphas_cumprod").toFloats();
      assertEquals(expected.length, schedule.size());
      for (int t = 0; t < expected.length; t++) {
        assertEquals(expected[t], schedule.alphaCumprod(t), Math.ulp(expected[t]));
      }
    }
  }

  /// Options that the runs of [#everyStepIsTheReferences] do not use, recorded in the same way from
  /// diffusers 0.40 with network outputs, noise and samples that are cosines and sines.
  @Test
  void otherOptions() throws Exception {
    JsonNode runs;
    try (var in = getClass().getResourceAsStream("/diffusion/schedulers.json")) {
      runs = JSON.readTree(in);
    }
    for (JsonNode run : runs) {
      String name = run.path("config").toString();
      Scheduler scheduler =
          Schedulers.of(new SchedulerConfig(new JsonKeys(run.path("config"), "test")));
      scheduler.setTimesteps(run.path("steps").asInt(), run.path("begin").asInt());
      double sigma = run.path("init_noise_sigma").asDouble();
      assertEquals(sigma, scheduler.initNoiseSigma(), TOLERANCE * sigma, name);
      assertClose(name, floats(run.path("timesteps")), scheduler.timesteps(), TOLERANCE);
      if (run.has("sigmas")) {
        assertClose(name, floats(run.path("sigmas")), scheduler.sigmas(), TOLERANCE);
      }
      float[] sample = wave(j -> Math.sin(j + 1) * sigma);
      if (run.has("noised")) {
        sample = scheduler.addNoise(wave(j -> Math.sin(j + 1)), wave(j -> Math.cos(5 + j)));
        assertClose(name, floats(run.path("noised")), sample, TOLERANCE);
      }
      for (int i = 0; i < scheduler.timesteps().length; i++) {
        int step = i;
        float[] output = wave(j -> Math.cos(1.7 * step + 0.9 * j));
        float[] next =
            scheduler.step(output, sample, () -> wave(j -> Math.sin(2.3 * step + 0.7 * j + 0.1)));
        float[] expected = floats(run.path("prev_samples").get(i));
        // From the recorded sample, and relative to both ends of the step: the reference subtracts
        // in floats, of which a sigma of 4096 leaves few digits.
        assertClose(name + " step " + i, expected, next, TOLERANCE, sample);
        sample = expected;
      }
    }
    assertEquals(37, runs.size());
  }

  private static DoubleStream stream(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]);
  }

  private static float[] wave(IntToDoubleFunction value) {
    var out = new float[4];
    for (int j = 0; j < out.length; j++) {
      out[j] = (float) value.applyAsDouble(j);
    }
    return out;
  }

  private static float[] floats(JsonNode list) {
    var out = new float[list.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = list.get(i).floatValue();
    }
    return out;
  }

  /// A network that knows the noise leads back to the image along its noised versions, from
  /// wherever the run begins.
  @ParameterizedTest
  @ValueSource(strings = {"euler", "euler_karras", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "unipc"})
  void knownNoiseLeadsBackToTheImage(String name) throws Exception {
    for (int begin : new int[] {0, 3, 8}) {
      Scheduler scheduler = Schedulers.byName(name, sdxl());
      scheduler.setTimesteps(9, begin);
      float[] image = wave(j -> Math.sin(j + 1));
      float[] noise = wave(j -> Math.cos(5 + j));
      float[] sample = scheduler.addNoise(image, noise);
      assertEquals(9 - begin, scheduler.timesteps().length);
      for (int i = begin; i < 9; i++) {
        sample = scheduler.step(noise, sample, () -> noise);
        float[] expected = i < 8 ? scheduler.addNoise(image, noise) : end(scheduler, image, noise);
        assertClose(name + " " + i, expected, sample, TOLERANCE);
      }
    }
  }

  /// The image with the little noise that the run's last sigma leaves.
  private static float[] end(Scheduler scheduler, float[] image, float[] noise) {
    float[] sigmas = scheduler.sigmas();
    double sigma = sigmas[sigmas.length - 1];
    return wave(j -> (image[j] + sigma * noise[j]) / Math.sqrt(1 + sigma * sigma));
  }

  /// PNDM asks twice at the second timestep, also where a run begins later.
  @Test
  void pndmRepeatsItsFirstStep() throws Exception {
    Scheduler scheduler = Schedulers.byName("pndm", sdxl());
    scheduler.setTimesteps(9, 4);
    assertArrayEquals(new float[] {445, 334, 334, 223, 112, 1}, scheduler.timesteps());
    float[] image = wave(j -> Math.sin(j + 1));
    float[] noise = wave(j -> Math.cos(5 + j));
    float[] sample = scheduler.addNoise(image, noise);
    for (int i = 0; i < 6; i++) {
      sample = scheduler.step(noise, sample, () -> noise);
      float[] expected = i < 5 ? scheduler.addNoise(image, noise) : end(scheduler, image, noise);
      assertClose("step " + i, expected, sample, TOLERANCE);
    }
    scheduler.setTimesteps(9, 8);
    assertArrayEquals(new float[] {1}, scheduler.timesteps());
  }

  private static SchedulerConfig sdxl() throws Exception {
    return config(
        """
        {"_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0",
         "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
         "clip_sample": false, "set_alpha_to_one": false, "skip_prk_steps": true,
         "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": null}\
        """);
  }

  private static SchedulerConfig config(String json) throws Exception {
    return new SchedulerConfig(new JsonKeys(JSON.readTree(json), "scheduler_config.json"));
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      delimiter = '|',
      value = {
        "Nonesuch | {} | choose one of Gatun's schedulers: euler, ",
        "EulerDiscreteScheduler | {'step_offset': 1} | does not know what step_offset asks",
        "EulerDiscreteScheduler | {'use_beta_sigmas': true, 'use_karras_sigmas': true} | only one"
            + " of",
        "DPMSolverSinglestepScheduler | {'solver_order': 3} | orders 1 and 2",
        "DEISMultistepScheduler | {'solver_order': 4} | orders 1, 2 and 3",
        "TCDScheduler | {'original_inference_steps': 2000} | need 1 to as many",
        "EulerDiscreteScheduler | {'use_karras_sigmas': true, 'use_exponential_sigmas': true} |"
            + " only one of",
        "EulerDiscreteScheduler | {'prediction_type': 'flow'} | epsilon, v_prediction, sample",
        "EulerDiscreteScheduler | {'prediction_type': 3} | need a text",
        "EulerDiscreteScheduler | {'num_train_timesteps': 1} | is 1; need 2 to",
        "EulerDiscreteScheduler | {'num_train_timesteps': 2147483647} | is 2147483647; need 2 to",
        "EulerDiscreteScheduler | {'trained_betas': []} | trained_betas has 0; need 2 to",
        "EulerDiscreteScheduler | {'trained_betas': [0.1, 2]} | need numbers between 0 and 1",
        "EulerDiscreteScheduler | {'num_train_timesteps': 'x'} | need an integer",
        "EulerDiscreteScheduler | {'beta_end': 2} | beta_start <= beta_end < 1",
        "EulerDiscreteScheduler | {'trained_betas': 3} | need a list",
        "EulerDiscreteScheduler | {'trained_betas': ['a']} | need numbers",
        "EulerDiscreteScheduler | {'beta_schedule': 'sigmoid'} | squaredcos_cap_v2",
        "EulerDiscreteScheduler | {'final_sigmas_type': 'one'} | zero, sigma_min",
        "EulerAncestralDiscreteScheduler | {'timestep_spacing': 'odd'} | linspace, leading,"
            + " trailing",
        "DDIMScheduler | {'thresholding': true} | models of pixels",
        "DDIMScheduler | {'rescale_betas_zero_snr': true} | v_prediction",
        "DPMSolverMultistepScheduler | {'solver_order': 4} | orders 1, 2 and 3",
        "DPMSolverMultistepScheduler | {'algorithm_type': 'dpmsolver'} | dpmsolver++,"
            + " sde-dpmsolver++",
        "DPMSolverMultistepScheduler | {'use_flow_sigmas': true} | flow matching",
        "DPMSolverMultistepScheduler | {'variance_type': 'learned'} | do not predict a variance",
        "UniPCMultistepScheduler | {'predict_x0': false} | infinitely long",
        "UniPCMultistepScheduler | {'solver_p': {}} | its own predictor",
        "UniPCMultistepScheduler | {'solver_type': 'bh3'} | bh1, bh2",
        "PNDMScheduler | {} | skip_prk_steps",
        "PNDMScheduler | {'skip_prk_steps': true, 'prediction_type': 'sample'} | v_prediction",
        "LCMScheduler | {'original_inference_steps': 2000} | need 1 to as many",
      })
  void refusals(String className, String json, String message) throws Exception {
    var refused =
        assertThrows(
            CheckpointException.class,
            () -> Schedulers.of(config(json.replace('\'', '"')).with("_class_name", className)));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
    assertTrue(refused.getMessage().startsWith("scheduler_config.json: "), refused.getMessage());
  }

  @Test
  void wrongRunsAreRefused() throws Exception {
    Scheduler scheduler = Schedulers.byName("lcm", sdxl());
    assertThrows(IllegalArgumentException.class, () -> scheduler.setTimesteps(51));
    assertThrows(IllegalArgumentException.class, () -> scheduler.setTimesteps(0));
    assertThrows(IllegalArgumentException.class, () -> scheduler.setTimesteps(4, 4));
    var unknown =
        assertThrows(IllegalArgumentException.class, () -> Schedulers.byName("nonesuch", sdxl()));
    assertTrue(unknown.getMessage().contains("dpmpp_2m_karras"), unknown.getMessage());
  }

  /// -Infinity, which diffusers writes, and null are read; keys of other classes have no effect.
  @Test
  void realFiles() throws Exception {
    var file = Files.createTempFile("scheduler_config", ".json");
    try {
      Files.writeString(
          file,
          "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity,"
              + " \"variance_type\": null, \"eta\": 0}");
      var unknown =
          assertThrows(CheckpointException.class, () -> new SchedulerConfig(JsonKeys.read(file)));
      assertTrue(unknown.getMessage().contains("eta"), unknown.getMessage());
      Files.writeString(
          file, Files.readString(file).replace("\"eta\": 0", "\"clip_sample\": true"));
      Scheduler scheduler = Schedulers.of(new SchedulerConfig(JsonKeys.read(file)));
      scheduler.setTimesteps(3);
      assertArrayEquals(new float[] {999, 666, 333}, scheduler.timesteps());
      Files.writeString(file, "{");
      assertThrows(CheckpointException.class, () -> new SchedulerConfig(JsonKeys.read(file)));
    } finally {
      Files.delete(file);
    }
  }

  /// The configurations of the published pipelines, and each as every other scheduler.
  @ParameterizedTest
  @ValueSource(strings = {"sd15-configs", "sdxl-configs", "sdxl-tiny-random"})
  void publishedConfigurations(String pipeline) {
    var file = TestData.shared(pipeline + "/scheduler/scheduler_config.json");
    var config = new SchedulerConfig(JsonKeys.read(file));
    Scheduler own = Schedulers.of(config);
    assertEquals(config.className(), own.getClass().getSimpleName());
    for (String name : Schedulers.names().split(", ", -1)) {
      Scheduler scheduler = Schedulers.byName(name, config);
      scheduler.setTimesteps(4);
      assertTrue(scheduler.timesteps().length >= 4, name);
      assertEquals(name, Schedulers.ofSampler(Schedulers.samplerName(scheduler), ""));
    }
  }
}
