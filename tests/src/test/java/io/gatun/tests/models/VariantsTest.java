package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.diffusion.files.GivenParts;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.diffusion.schedulers.PredictionType;
import io.gatun.models.image.Image;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A model that is a variant of one that Gatun runs is refused, and what makes it one is named: a
/// tensor that has no place, a key that is not known, what a file leaves open.
class VariantsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path temp;

  @Test
  void tensorsWithoutAPlaceInALlama() throws IOException {
    Path dir = copy("tiny-llm");
    rewrite(dir, Map.of("model.layers.0.mlp.experts.weight", floats(3)));
    refused(() -> Llm.load(dir), "no place for 1 of its", "model.layers.0.mlp.experts.weight");
    rewrite(dir, Map.of("model.layers.6.mlp.up_proj.weight", floats(3)));
    refused(() -> Llm.load(dir), "model.layers.6.mlp.up_proj.weight");
    rewrite(dir, Map.of("model.layers.0.self_attn.rotary_emb.inv_freq", floats(16)));
    Llm.load(dir).close();
  }

  @Test
  void tensorsWithoutAPlaceInASam() throws IOException {
    Path dir = copy("tiny-sam");
    rewrite(dir, Map.of("mask_decoder.extra_token.weight", floats(64)));
    refused(() -> Sam.load(dir), "no place for 1 of its", "mask_decoder.extra_token.weight");
  }

  @ParameterizedTest
  @CsvSource({
    "unet, time_embedding.cond_proj.weight",
    "vae, encoder.extra.weight",
    "text_encoder, text_model.encoder.layers.3.mlp.fc1.weight"
  })
  void tensorsWithoutAPlaceInAPipeline(String part, String tensor) throws IOException {
    Path dir = copy("tiny-sd");
    rewrite(dir.resolve(part), Map.of(tensor, floats(3)));
    refused(() -> StableDiffusion.load(dir), part, "no place for 1 of its", tensor);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "attention_multiplier | 0.5 | \"attention_multiplier\": 0.5",
        "tie_word_embeddings | false | is false in config.json, but there is no tensor"
            + " \"lm_head.weight\"",
        "attention_bias | true | there is no tensor \"model.layers.0.self_attn.q_proj.bias\"",
        "mlp_bias | true | there is no tensor \"model.layers.0.mlp.up_proj.bias\"",
        "logit_scale | 2 | \"logit_scale\": 2",
        "rope_scaling | {\"rope_type\": \"ntk\", \"factor\": 2} | rope scaling is \"ntk\"",
        "rope_scaling | {\"type\": \"default\", \"no_such_section\": [1]} | no_such_section",
        "partial_rotary_factor | 0.5 | partial_rotary_factor",
        "hidden_act | \"gelu\" | \"gelu\"; Gatun runs only \"silu\"",
        "final_logit_softcapping | 30 | final_logit_softcapping",
        "layer_types | [\"sliding_attention\"] | layer_types",
        "quantization_config | {\"bits\": 4} | quantization_config",
        "num_attention_heads | 0 | num_attention_heads",
        "rope_theta | \"much\" | rope_theta",
        "head_dim | 2147483646 | head_dim",
        "hidden_size | 4294967296 | hidden_size"
      })
  void keysThatChangeALlama(String key, String value, String message) throws IOException {
    Path dir = copy("tiny-llm");
    put(dir.resolve("config.json"), "", key, value);
    refused(() -> Llm.load(dir), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "use_something | false",
        "hidden_dropout | 0.1",
        "_name_or_path | \"x\"",
        "transformers_version | \"5.0\"",
        "sliding_window | null",
        "router_aux_loss_coef | 0.1",
        "unsloth_version | \"2025\"",
        "new_list | []"
      })
  void keysThatChangeNothing(String key, String value) throws IOException {
    Path dir = copy("tiny-llm");
    put(dir.resolve("config.json"), "", key, value);
    Llm.load(dir).close();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "unet/config.json | new_conditioning | 3 | \"new_conditioning\": 3",
        "vae/config.json | latent_shift | 0.5 | \"latent_shift\": 0.5",
        "text_encoder/config.json | use_rms_norm | true | \"use_rms_norm\": true",
        "model_index.json | controlnet | [\"diffusers\", \"ControlNetModel\"] | controlnet is"
            + " missing, which",
        "model_index.json | requires_aesthetics_score | true | requires_aesthetics_score"
      })
  void keysThatChangeAPipeline(String file, String key, String value, String message)
      throws IOException {
    Path dir = copy("tiny-sd");
    put(dir.resolve(file), "", key, value);
    refused(() -> StableDiffusion.load(dir), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/image_encoder | use_rel_pos | false | use_rel_pos",
        "/image_encoder | window_size | 14 | \"window_size\" is 14, but the tensors",
        "/mask_decoder | hyper_heads | 3 | \"hyper_heads\": 3",
        "/mask_decoder/transformer | depth | 3 | \"depth\" is 3, but the tensors",
        "'' | use_tracking | true | \"use_tracking\": true"
      })
  void keysThatChangeASam(String at, String key, String value, String message) throws IOException {
    Path dir = copy("tiny-sam");
    put(dir.resolve("config.json"), at, key, value);
    refused(() -> Sam.load(dir), message);
  }

  @Test
  void aSamFileBesideAnotherModelsConfiguration() throws IOException {
    Path dir = copy("tiny-sam");
    Files.writeString(dir.resolve("config.json"), "{\"model_type\": \"llama\"}");
    refused(
        () -> Sam.load(dir.resolve("model.safetensors")),
        "its mask decoder has 64 and 32 channels",
        "num_attention_heads");
    Files.writeString(dir.resolve("config.json"), "{\"hidden_size\": 64}");
    refused(() -> Sam.load(dir.resolve("model.safetensors")), "num_attention_heads");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "llama.attention.scale | 0.5 | \"llama.attention.scale\": 0.5",
        "llama.attention.head_count | 0 | llama.attention.head_count\" is 0; need whole numbers",
        "llama.embedding_length | 1e30 | need whole numbers",
        "llama.attention.value_length | 16 | llama.attention.value_length is 16",
        "llama.context_length | 4294967296 | need whole numbers from 1 to 2147483647",
        "llama.rope.scaling.type | yarn | no number \"factor\""
      })
  void keysOfGguf(String key, String value, String message) {
    Path file = temp.resolve("x.gguf");
    SmallGguf.write(file, DType.Block.Q8_0);
    Path changed = temp.resolve("changed.gguf");
    try (var checkpoint = Checkpoint.open(file)) {
      var writer = new GgufWriter();
      var metadata = new HashMap<>(checkpoint.metadata());
      metadata.put(
          key,
          value.matches("[0-9]+")
              ? (Object) Long.valueOf(value)
              : value.matches("[0-9.e]+") ? (Object) Double.valueOf(value) : value);
      metadata.forEach(writer::metadata);
      checkpoint.tensors().forEach(writer::add);
      writer.write(changed);
    }
    refused(() -> llama(changed), message);
  }

  @Test
  void ranksOfZero() {
    Path file = temp.resolve("x.gguf");
    SmallGguf.write(file, DType.Block.Q8_0);
    try (var arena = Arena.ofConfined();
        var workers = new Workers(1);
        var checkpoint = Checkpoint.open(file)) {
      for (String name : List.of("output_norm.weight", "blk.0.attn_q.weight", "rope.freqs")) {
        Path changed = temp.resolve("changed.gguf");
        var tensors = new HashMap<>(checkpoint.tensors());
        tensors.put(name, Tensor.allocate(arena, DType.Plain.F32));
        var writer = new GgufWriter();
        checkpoint.metadata().forEach(writer::metadata);
        tensors.forEach(writer::add);
        writer.write(changed);
        if (name.equals("rope.freqs")) {
          try (var one = Checkpoint.open(changed)) {
            Rewrite.packed(one).write(temp.resolve("packed.gguf"), workers, bytes -> {});
          }
        } else {
          refused(() -> llama(changed), name, "is () F32");
        }
      }
    }
  }

  @Test
  void weightsThatAreNoNumbers() throws IOException {
    Path dir = copy("tiny-llm");
    float[] nan = new float[128];
    nan[5] = Float.NaN;
    rewrite(dir, Map.of("model.norm.weight", nan));
    try (var llm = Llm.load(dir)) {
      refused(() -> llm.generate("a", 3), "\"model.norm.weight\" holds values that are no numbers");
    }
  }

  @Test
  void weightsOfAUNetThatAreNoNumbers() throws IOException {
    Path dir = copy("tiny-sd");
    float[] nan = new float[64];
    nan[63] = Float.NaN;
    rewrite(dir.resolve("unet"), Map.of("conv_norm_out.weight", nan));
    try (var sd = StableDiffusion.load(dir)) {
      refused(
          () -> sd.imagine("a star", o -> o.steps(1)),
          "unet",
          "\"conv_norm_out.weight\" holds values that are no numbers");
    }
  }

  @Test
  void weightsOfASamThatAreNoNumbers() throws IOException {
    Path dir = copy("tiny-sam");
    String name = "mask_decoder.iou_prediction_head.layers.2.bias";
    float[] nan;
    try (var checkpoint = Checkpoint.open(dir)) {
      nan = checkpoint.tensor(name).toFloats();
    }
    nan[1] = Float.NaN;
    rewrite(dir, Map.of(name, nan));
    try (var sam = Sam.load(dir);
        var image = sam.encode(Image.read(dir.resolve("scene0.png")))) {
      refused(
          () -> image.predict(Prompt.point(9, 9)),
          "\"" + name + "\" holds values that are no numbers");
    }
  }

  @Test
  void tokensBeyondTheEmbedding() {
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"));
        var session = llm.newSession()) {
      var e = assertThrows(IllegalArgumentException.class, () -> session.feed(3, 2147483647));
      assertTrue(e.getMessage().contains("token 2147483647 is not among the 1024"), e.getMessage());
    }
  }

  @Test
  void whatSingleFilesPredict() throws IOException {
    Path file = temp.resolve("v2.safetensors");
    writeMarks(file, Map.of(), "");
    refused(() -> prediction(file, null), "Stable Diffusion 2", "--prediction-type v_prediction");
    assertEquals("epsilon 64", prediction(file, PredictionType.EPSILON));
    assertEquals("v_prediction 96", prediction(file, PredictionType.V_PREDICTION));
    writeMarks(file, Map.of("modelspec.prediction_type", "v"), "");
    assertEquals("v_prediction 96", prediction(file, null));
    writeMarks(file, Map.of("modelspec.architecture", "stable-diffusion-v2-512"), "");
    assertEquals("epsilon 64", prediction(file, null));
    writeMarks(file, Map.of(), "v_pred");
    assertEquals("v_prediction 96", prediction(file, null));
    writeMarks(file, Map.of(), "");
    Files.writeString(temp.resolve("v2.yaml"), "model:\n  params:\n    parameterization: \"v\"\n");
    assertEquals("v_prediction 96", prediction(file, null));
    Files.writeString(temp.resolve("v2.yaml"), "model:\n  params:\n    timesteps: 1000\n");
    assertEquals("epsilon 64", prediction(file, null));
  }

  @Test
  void aMarkForZeroTerminalSnr() throws IOException {
    Path file = temp.resolve("v2.safetensors");
    for (String mark : List.of("", "ztsnr")) {
      writeMarks(file, Map.of(), mark);
      try (var files =
          PipelineFiles.open(
              file, LoadMode.MAP, new GivenParts(PredictionType.V_PREDICTION, null, List.of()))) {
        var scheduler = files.config("scheduler");
        assertEquals(!mark.isEmpty(), scheduler.flag("rescale_betas_zero_snr", false), mark);
      }
    }
  }

  @Test
  void theRefinerIsNoPipelineOfItsOwn() throws IOException {
    Path file = temp.resolve("refiner.safetensors");
    try (var arena = Arena.ofConfined()) {
      var one = Tensor.ofFloats(arena, new float[1], 1);
      var writer = new SafetensorsWriter();
      writer.add("conditioner.embedders.0.model.token_embedding.weight", one);
      writer.add("model.diffusion_model.input_blocks.0.0.weight", one);
      writer.write(file);
    }
    refused(() -> StableDiffusion.load(file), "refiner", "Gatun runs the base model");
  }

  private static String prediction(Path file, PredictionType chosen) {
    try (var files =
        PipelineFiles.open(file, LoadMode.MAP, new GivenParts(chosen, null, List.of()))) {
      return files.config("scheduler").text("prediction_type", "")
          + " "
          + files.config("unet").integer("sample_size");
    }
  }

  /// A file that Stable Diffusion 2 is known by.
  private static void writeMarks(Path file, Map<String, String> metadata, String mark) {
    try (var arena = Arena.ofConfined()) {
      var writer = new SafetensorsWriter();
      metadata.forEach(writer::metadata);
      var one = Tensor.ofFloats(arena, new float[1], 1);
      writer.add("cond_stage_model.model.token_embedding.weight", one);
      writer.add("model.diffusion_model.input_blocks.0.0.weight", one);
      if (!mark.isEmpty()) {
        writer.add(mark, one);
      }
      writer.write(file);
    }
  }

  private static String llama(Path gguf) {
    try (var checkpoint = Checkpoint.open(gguf)) {
      return Architectures.open(checkpoint).config().toString();
    }
  }

  private static float[] floats(int size) {
    return new float[size];
  }

  /// A copy of a shipped model.
  private Path copy(String model) throws IOException {
    Path from = TestData.pretrained(model);
    Path to = Files.createTempDirectory(temp, model);
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else if (!file.getFileName().toString().startsWith("goldens")) {
          Files.copy(file, target);
        }
      }
    }
    return to;
  }

  /// Puts tensors into a directory's safetensors file, in place of those of the same name.
  private static void rewrite(Path dir, Map<String, float[]> changes) throws IOException {
    Path file;
    try (var files = Files.list(dir)) {
      file = files.filter(f -> f.toString().endsWith(".safetensors")).findFirst().orElseThrow();
    }
    Path changed = dir.resolveSibling("changed.safetensors");
    try (var checkpoint = Checkpoint.open(file);
        var arena = Arena.ofConfined()) {
      var tensors = new HashMap<>(checkpoint.tensors());
      tensors.keySet().removeIf(n -> n.contains("experts") || n.contains("layers.6."));
      changes.forEach((n, values) -> tensors.put(n, Tensor.ofFloats(arena, values, values.length)));
      var writer = new SafetensorsWriter();
      tensors.forEach(
          (n, t) ->
              writer.add(
                  n, t.dtype(), Shape.of(t.shape().dims()), sink -> sink.write(t.segment())));
      writer.write(changed);
    }
    Files.move(changed, file, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void put(Path file, String at, String key, String value) throws IOException {
    JsonNode json = JSON.readTree(file.toFile());
    ((ObjectNode) json.at(at)).set(key, JSON.readTree(value));
    JSON.writeValue(file.toFile(), json);
    JsonKeys.read(file);
  }

  private static void refused(Supplier<?> call, String... words) {
    String message = assertThrows(CheckpointException.class, call::get).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), message);
    }
  }
}
