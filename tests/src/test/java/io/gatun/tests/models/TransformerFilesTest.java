package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.StableDiffusion;
import io.gatun.models.StableDiffusionOptions;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.diffusion.files.GivenParts;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.dit.Flux2Config;
import io.gatun.models.dit.Flux2Transformer2DModel;
import io.gatun.models.dit.FluxConfig;
import io.gatun.models.dit.FluxTransformer2DModel;
import io.gatun.models.dit.SD3Config;
import io.gatun.models.dit.SD3Transformer2DModel;
import io.gatun.models.dit.ZImageConfig;
import io.gatun.models.dit.ZImageTransformer2DModel;
import io.gatun.models.nn.DeclaredTensors;
import io.gatun.models.nn.Quantization;
import io.gatun.models.nn.Weights;
import io.gatun.models.t5.T5Config;
import io.gatun.models.t5.T5EncoderModel;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Diffusion transformers in files of their own, with their makers' names, as safetensors and GGUF,
/// with text encoders and autoencoders from elsewhere: their images are those of the directories.
class TransformerFilesTest {
  private static final String PREFIX = "model.diffusion_model.";

  private static final String ENCODERS = "text_encoders.";

  private static final T5Config T5_XXL =
      new T5Config(32128, 4096, 64, 10240, 24, 64, 32, 128, 1e-6f, 1, 0);

  @TempDir private Path folder;

  private Path dir(String model) {
    return TestData.shared("diffusion-random/" + model);
  }

  /// The network's tensors by their makers' names, behind a prefix.
  private static Map<String, Tensor> original(Path dir, Checkpoint network, String prefix)
      throws IOException {
    String className =
        new ObjectMapper()
            .readTree(dir.resolve("transformer/config.json").toFile())
            .path("_class_name")
            .asText();
    var out = new LinkedHashMap<String, Tensor>();
    OriginalLayout.of(className, new TreeMap<>(network.tensors()))
        .original()
        .forEach((name, tensor) -> out.put(prefix + name, tensor));
    return out;
  }

  private static float[] latents(Path model, Consumer<StableDiffusionOptions> how) {
    var last = new ArrayList<float[]>();
    try (var sd =
        StableDiffusion.load(
            model,
            o -> {
              o.dtype(DType.Plain.F32);
              how.accept(o);
            })) {
      sd.imagine(
          "a red circle",
          o ->
              o.steps(2)
                  .seed(1)
                  .size(64, 64)
                  .textTokens(model.endsWith("tiny-sd") ? 0 : 48)
                  .onStep(step -> last.add(step.latents())));
    }
    return last.getLast();
  }

  /// In the place of a directory's network.
  @ParameterizedTest
  @CsvSource({
    "sd3, safetensors, ''",
    "sd35, safetensors, model.diffusion_model.",
    "sd35, gguf, ''",
    "flux_dev, safetensors, ''",
    "flux_dev, gguf, model.diffusion_model.",
    "flux2_klein, gguf, ''",
    "z_image, safetensors, model.diffusion_model.",
    "z_image, gguf, ''",
    "pixart_alpha, safetensors, ''"
  })
  void networkOfDirectory(String model, String format, String prefix) throws IOException {
    Path dir = dir(model);
    Path whole = model.equals("sd3") ? withPartsOf(dir, dir("sd35")) : dir;
    Path file = folder.resolve("network." + format);
    try (var network = Checkpoint.open(dir.resolve("transformer"))) {
      write(original(dir, network, prefix), file);
    }
    assertArrayEquals(latents(whole, o -> {}), latents(whole, o -> o.network(file)), 1e-5f);
  }

  private Path withPartsOf(Path dir, Path other) throws IOException {
    Path whole = folder.resolve("whole");
    Files.createDirectory(whole);
    for (Path from : List.of(dir, other)) {
      try (var files = Files.newDirectoryStream(from)) {
        for (Path file : files) {
          Path link = whole.resolve(file.getFileName());
          if (!Files.exists(link)) {
            Files.createSymbolicLink(link, file.toAbsolutePath());
          }
        }
      }
    }
    return whole;
  }

  private static void write(Map<String, Tensor> tensors, Path file) {
    if (file.toString().endsWith(".gguf")) {
      var writer = new GgufWriter().metadata("general.architecture", "flux");
      tensors.forEach(writer::add);
      writer.write(file);
    } else {
      var writer = new SafetensorsWriter();
      tensors.forEach(writer::add);
      writer.write(file);
    }
  }

  /// GGUF files of blocks are as good as their values in F32.
  @ParameterizedTest
  @ValueSource(strings = {"sd35", "flux_dev"})
  void blocks(String model) throws IOException {
    Path dir = dir(model);
    Path gguf = folder.resolve("q8.gguf");
    Path same = folder.resolve("same.safetensors");
    try (var network = Checkpoint.open(dir.resolve("transformer"))) {
      var quantized = new LinkedHashMap<String, Tensor>();
      var values = new LinkedHashMap<String, Tensor>();
      original(dir, network, "")
          .forEach(
              (name, tensor) -> {
                boolean matrix = tensor.shape().rank() == 2 && tensor.dim(1) % 32 == 0;
                quantized.put(name, matrix ? EncoderGguf.q8(tensor) : tensor);
                values.put(name, Ops.toF32(quantized.get(name), Arena.ofAuto()));
              });
      write(quantized, gguf);
      write(values, same);
    }
    float[] expected = latents(dir, o -> o.network(same));
    assertClose(expected, latents(dir, o -> o.network(gguf)), 2e-3);
  }

  /// Weights and activations in 8 bits change the result by little, and all linear layers have
  /// them.
  @ParameterizedTest
  @ValueSource(strings = {"sd35", "flux_dev"})
  void int8Dynamic(String model) {
    var all = new Quantization(Quantization.Mode.INT8_DYNAMIC, 1, Pattern.compile(""));
    float[] expected = latents(dir(model), o -> {});
    float[] found = latents(dir(model), o -> o.quantization(all));
    assertFalse(Arrays.equals(expected, found));
    assertClose(expected, found, 0.03);
  }

  /// ComfyUI's GGUF files of UNets have kernels in rows of 256, and say what they were.
  @Test
  void kernelsInRows() {
    Path dir = TestData.pretrained("tiny-sd");
    Path gguf = folder.resolve("unet.gguf");
    Path same = folder.resolve("same.safetensors");
    try (var network = Checkpoint.open(dir.resolve("unet"))) {
      var writer = new GgufWriter().metadata("general.architecture", "sd1");
      var values = new LinkedHashMap<String, Tensor>();
      int reshaped = 0;
      for (var e : network.tensors().entrySet()) {
        var tensor = Ops.toF32(e.getValue(), Arena.ofAuto());
        boolean kernels = tensor.shape().rank() == 4 && tensor.size() % 256 == 0;
        if (kernels) {
          var rows = EncoderGguf.q8(tensor.reshape(tensor.size() / 256, 256));
          var dims = Arrays.stream(tensor.shape().dims()).boxed().toList();
          writer.add(e.getKey(), rows).metadata("comfy.gguf.orig_shape." + e.getKey(), dims);
          tensor = Ops.toF32(rows, Arena.ofAuto()).reshape(tensor.shape().dims());
          reshaped++;
        } else {
          writer.add(e.getKey(), tensor);
        }
        values.put(e.getKey(), tensor);
      }
      assertTrue(reshaped > 10);
      writer.write(gguf);
      write(values, same);
    }
    float[] expected = latents(dir, o -> o.network(same));
    assertClose(expected, latents(dir, o -> o.network(gguf)), 1e-5);
  }

  private static void assertClose(float[] expected, float[] found, double tolerance) {
    Goldens.assertClose(
        "latents", Tensor.ofFloats(Arena.ofAuto(), expected, expected.length), found, tolerance);
  }

  /// With all other parts from elsewhere; the scheduler is the one that the makers' models have.
  @ParameterizedTest
  @CsvSource({
    "sd35, text_encoder text_encoder_2 text_encoder_3",
    "flux_dev, text_encoder_2 text_encoder",
    "flux2_klein, text_encoder",
    "z_image, text_encoder"
  })
  void fileWithGivenParts(String model, String encoders) throws IOException {
    Path dir = dir(model);
    Path file = folder.resolve("network.gguf");
    try (var network = Checkpoint.open(dir.resolve("transformer"))) {
      write(original(dir, network, ""), file);
    }
    // What the tensors of so small a network do not show.
    Files.copy(dir.resolve("transformer/config.json"), folder.resolve("config.json"));
    var paths = new ArrayList<Path>();
    for (String part : encoders.split(" ", -1)) {
      Path encoder = folder.resolve(part);
      Files.createDirectory(encoder);
      for (Path from :
          List.of(dir.resolve(part), dir.resolve(part.replace("text_encoder", "tokenizer")))) {
        try (var files = Files.newDirectoryStream(from)) {
          for (Path each : files) {
            Files.createSymbolicLink(encoder.resolve(each.getFileName()), each.toAbsolutePath());
          }
        }
      }
      paths.add(encoder);
    }
    float[] found =
        latents(
            file,
            o -> {
              o.vae(dir.resolve("vae"));
              paths.forEach(o::textEncoder);
            });
    assertArrayEquals(latents(dir, o -> {}), found, 1e-5f);

    var missing =
        assertThrows(
            CheckpointException.class,
            () -> StableDiffusion.load(file, o -> o.vae(dir.resolve("vae"))));
    assertTrue(missing.getMessage().contains("--text-encoder"), missing.getMessage());
  }

  /// The configurations that published files leave out, from files of their shapes: all parts of
  /// Stable Diffusion 3.5 medium in one.
  @Test
  void configurationsOfAllParts() throws IOException {
    var dual = IntStream.range(0, 13).boxed().collect(Collectors.toSet());
    var network = new SD3Config(128, 2, 16, 16, 24, 64, 24, 4096, 2048, 384, dual, true);
    var clip =
        new CLIPTextConfig(49408, 768, 3072, 12, 12, 77, Activation.QUICK_GELU, 1e-5f, 768, 49407);
    var clip2 =
        new CLIPTextConfig(49408, 1280, 5120, 32, 20, 77, Activation.GELU, 1e-5f, 1280, 49407);
    var shapes = new LinkedHashMap<String, Shape>();
    declare(shapes, PREFIX, w -> new SD3Transformer2DModel(network, w));
    declare(shapes, ENCODERS + "clip_l.transformer.", w -> clip(clip, w));
    declare(shapes, ENCODERS + "clip_g.transformer.", w -> clip(clip2, w));
    declare(shapes, ENCODERS + "t5xxl.transformer.", w -> new T5EncoderModel(T5_XXL, w));
    shapes.put("first_stage_model.decoder.conv_in.weight", Shape.of(512, 16, 3, 3));
    Path file = folder.resolve("sd3.5_medium_incl_clips_t5xxl.safetensors");
    SparseSafetensors.write(file, shapes);
    try (var files = PipelineFiles.open(file, LoadMode.MAP)) {
      assertEquals(network, SD3Config.of(files.config("transformer")));
      assertEquals(clip, CLIPTextConfig.of(files.config("text_encoder")));
      assertEquals(clip2, CLIPTextConfig.of(files.config("text_encoder_2")));
      assertEquals(T5_XXL, T5Config.of(files.config("text_encoder_3")));
      assertTrue(files.weights("vae").has("decoder.conv_in.weight"));
      var vae = AutoencoderKLConfig.of(files.config("vae"));
      assertEquals(1.5305f, vae.scalingFactor());
      assertEquals(16, vae.latentChannels());
      var w = files.weights("text_encoder_3");
      assertEquals(T5_XXL.dModel(), new T5EncoderModel(T5_XXL, w).config().dModel());
    }
  }

  /// The same of networks alone.
  @Test
  void configurationsOfNetworks() throws IOException {
    var clip =
        new CLIPTextConfig(49408, 768, 3072, 12, 12, 77, Activation.QUICK_GELU, 1e-5f, 768, 49407);
    Path clipFile = sparse("clip_l.safetensors", w -> clip(clip, w));
    Path t5 = sparse("t5xxl.safetensors", w -> new T5EncoderModel(T5_XXL, w));
    Path qwen = dir("z_image").resolve("text_encoder");

    var dev = new FluxConfig(64, 19, 38, 128, 24, 4096, 768, true, List.of(16, 56, 56));
    Path flux = sparse("flux1-dev.safetensors", w -> new FluxTransformer2DModel(dev, w));
    try (var files = open(flux, clipFile, t5)) {
      assertEquals(dev, FluxConfig.of(files.config("transformer")));
      assertTrue(files.config("scheduler").flag("use_dynamic_shifting", false));
    }
    var klein = new Flux2Config(128, 5, 20, 128, 24, 7680, 256, 3, List.of(32, 32, 32, 32), 2000);
    Path flux2 = sparse("flux-2-klein-4b.safetensors", w -> new Flux2Transformer2DModel(klein, w));
    try (var files = open(flux2, qwen)) {
      assertEquals(klein, Flux2Config.of(files.config("transformer")));
      assertTrue(files.index().flag("is_distilled", false));
      assertEquals(32, AutoencoderKLConfig.of(files.config("vae")).latentChannels());
    }
    Path base = flux2.resolveSibling("flux-2-klein-base-4b.safetensors");
    Files.move(flux2, base);
    try (var files = open(base, qwen)) {
      assertEquals(false, files.index().flag("is_distilled", true));
    }
    var turbo = new ZImageConfig(16, 3840, 30, 2, 30, 1e-5f, 2560, 256, 1000, List.of(32, 48, 48));
    Path z = sparse("z_image_turbo.safetensors", w -> new ZImageTransformer2DModel(turbo, w));
    try (var files = open(z, qwen)) {
      assertEquals(turbo, ZImageConfig.of(files.config("transformer")));
    }
  }

  private static PipelineFiles open(Path file, Path... encoders) {
    return PipelineFiles.open(file, LoadMode.MAP, new GivenParts(null, null, List.of(encoders)));
  }

  private static CLIPTextModelWithProjection clip(CLIPTextConfig config, Weights weights) {
    return new CLIPTextModelWithProjection(config, weights);
  }

  private Path sparse(String name, Consumer<Weights> network) throws IOException {
    var shapes = new LinkedHashMap<String, Shape>();
    declare(shapes, "", network);
    Path file = folder.resolve(name);
    SparseSafetensors.write(file, shapes);
    return file;
  }

  private static void declare(Map<String, Shape> shapes, String prefix, Consumer<Weights> network) {
    try (var declared = new DeclaredTensors()) {
      network.accept(Weights.of(declared));
      declared.shapes().forEach((name, shape) -> shapes.put(prefix + name, shape));
    }
  }

  /// Text encoders as llama.cpp's files have them, in the place of a directory's.
  @Test
  void textEncodersInGguf() throws IOException {
    Path dir = dir("flux_dev");
    Path file = folder.resolve("t5.gguf");
    try (var t5 = Checkpoint.open(dir.resolve("text_encoder_2"))) {
      var writer = new GgufWriter().metadata("general.architecture", "t5encoder");
      t5.tensors().forEach((name, tensor) -> writer.add(t5Name(name), tensor));
      writer.write(file);
    }
    assertArrayEquals(latents(dir, o -> {}), latents(dir, o -> o.textEncoder(file)), 1e-5f);

    Path klein = dir("flux2_klein");
    Path qwen = folder.resolve("qwen.gguf");
    var config = new ObjectMapper().readTree(klein.resolve("text_encoder/config.json").toFile());
    try (var checkpoint = Checkpoint.open(klein.resolve("text_encoder"))) {
      var writer =
          new GgufWriter()
              .metadata("general.architecture", "qwen3")
              .metadata("qwen3.embedding_length", config.path("hidden_size").asLong())
              .metadata("qwen3.feed_forward_length", config.path("intermediate_size").asLong())
              .metadata("qwen3.block_count", config.path("num_hidden_layers").asLong())
              .metadata("qwen3.attention.head_count", config.path("num_attention_heads").asLong())
              .metadata(
                  "qwen3.attention.head_count_kv", config.path("num_key_value_heads").asLong())
              .metadata("qwen3.attention.key_length", config.path("head_dim").asLong())
              .metadata(
                  "qwen3.attention.layer_norm_rms_epsilon",
                  config.path("rms_norm_eps").floatValue())
              .metadata("qwen3.rope.freq_base", config.path("rope_theta").floatValue());
      checkpoint.tensors().forEach((name, tensor) -> writer.add(qwenName(name), tensor));
      writer.write(qwen);
    }
    assertArrayEquals(latents(klein, o -> {}), latents(klein, o -> o.textEncoder(qwen)), 1e-5f);
  }

  private static String t5Name(String name) {
    return name.replace("shared.", "token_embd.")
        .replace("encoder.final_layer_norm.", "enc.output_norm.")
        .replace("encoder.block.", "enc.blk.")
        .replace("layer.0.SelfAttention.relative_attention_bias.", "attn_rel_b.")
        .replace("layer.0.SelfAttention.", "attn_")
        .replace("layer.0.layer_norm.", "attn_norm.")
        .replace("layer.1.layer_norm.", "ffn_norm.")
        .replace("layer.1.DenseReluDense.wi_0.", "ffn_gate.")
        .replace("layer.1.DenseReluDense.wi_1.", "ffn_up.")
        .replace("layer.1.DenseReluDense.wo.", "ffn_down.");
  }

  private static String qwenName(String name) {
    return name.replace("model.embed_tokens.", "token_embd.")
        .replace("model.norm.", "output_norm.")
        .replace("lm_head.", "output.")
        .replace("model.layers.", "blk.")
        .replace("input_layernorm.", "attn_norm.")
        .replace("post_attention_layernorm.", "ffn_norm.")
        .replace("self_attn.o_proj.", "attn_output.")
        .replaceFirst("self_attn\\.(.)_proj\\.", "attn_$1.")
        .replaceFirst("self_attn\\.(.)_norm\\.", "attn_$1_norm.")
        .replaceFirst("mlp\\.(\\w+)_proj\\.", "ffn_$1.");
  }

  @Test
  void whatDoesNotFitIsSaid() throws IOException {
    Path flux = dir("flux_dev");
    Path klein = dir("flux2_klein");
    Path file = folder.resolve("flux.safetensors");
    try (var network = Checkpoint.open(flux.resolve("transformer"))) {
      write(original(flux, network, ""), file);
    }
    refused(klein, o -> o.network(file), "holds FLUX.1; the pipeline's network is Flux2");
    refused(klein, o -> o.textEncoder(flux.resolve("text_encoder_2")), "no such text encoder");
    refused(klein, o -> o.textEncoder(flux.resolve("vae")), "holds no text encoder");
    refused(TestData.pretrained("tiny-sd"), o -> o.network(file), "holds no UNet; the pipeline's");
    refused(file, o -> o.network(file), "is for a diffusers directory");
    refused(
        file,
        o ->
            o.vae(flux.resolve("vae"))
                .textEncoder(flux.resolve("text_encoder"))
                .textEncoder(flux.resolve("text_encoder_2"))
                .textEncoder(klein.resolve("text_encoder")),
        "FLUX.1 has no place for it");
    try (var sd = StableDiffusion.load(flux, o -> o.network(file))) {
      var made = sd.imagine("x", o -> o.steps(1).size(64, 64).textTokens(8));
      var settings = made.parameters().getFirst().settings();
      assertEquals("flux.safetensors", settings.get("Network file"));
    }
  }

  private static void refused(Path model, Consumer<StableDiffusionOptions> how, String message) {
    var e = assertThrows(CheckpointException.class, () -> StableDiffusion.load(model, how).close());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
