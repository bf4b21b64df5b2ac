package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPTextModelWithProjection;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.nn.DeclaredTensors;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.models.vae.AutoencoderKL;
import io.gatun.models.vae.AutoencoderKLConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The layouts of whole pipelines on disk, the configurations of the real ones with weights that
/// are zeros, and what is said of files that do not fit.
@Execution(ExecutionMode.CONCURRENT)
class DiffusionLayoutsTest {
  private final Ops ops = new Ops(Backend.NATIVE, 2);
  private final Functional f = new Functional(ops, DType.Plain.BF16);

  @TempDir private Path dir;

  @AfterEach
  void close() {
    ops.close();
  }

  @ParameterizedTest
  @CsvSource({"sd15-configs, text_encoder", "sdxl-configs, text_encoder text_encoder_2"})
  void realConfigurations(String name, String encoders) throws IOException {
    Path configs = TestData.shared(name);
    Files.copy(configs.resolve("model_index.json"), dir.resolve("model_index.json"));
    for (String part : (encoders + " unet vae").split(" ", -1)) {
      var keys = JsonKeys.read(configs.resolve(part).resolve("config.json"));
      try (var declared = new DeclaredTensors()) {
        network(part, keys, Weights.of(declared));
        SparseSafetensors.write(dir.resolve(part).resolve("model.safetensors"), declared.shapes());
      }
      Files.copy(
          configs.resolve(part).resolve("config.json"), dir.resolve(part).resolve("config.json"));
    }
    f.packingBudget(0);
    try (var files = PipelineFiles.open(dir, LoadMode.MAP)) {
      for (String part : encoders.split(" ", -1)) {
        assertTrue(files.has(part));
        var text = network(part, files.config(part), files.weights(part));
        int[][] ids = {{49406, 320, 49407}};
        var states =
            text instanceof CLIPTextModel first
                ? first.forward(f, ids)
                : ((CLIPTextModelWithProjection) text).forward(f, ids, 1).textEmbeds();
        assertZeros(states);
      }
      step((UNet2DConditionModel) network("unet", files.config("unet"), files.weights("unet")));
      var vae = (AutoencoderKL) network("vae", files.config("vae"), files.weights("vae"));
      var image = vae.decode(f, ops.empty(1, 1, 2, 4));
      assertEquals(Shape.of(1, 8, 16, 3), image.shape());
      assertZeros(image);
    }
  }

  private void step(UNet2DConditionModel unet) {
    var config = unet.config();
    var added = AddedConditions.NONE;
    if (config.hasTextTime()) {
      added = AddedConditions.textTime(f.empty(1, 1280), new double[1][6]);
    }
    var context = f.empty(1, 77, config.crossAttentionDim().getFirst());
    var out = unet.forward(f, ops.empty(1, 8, 8, 4), 999, unet.condition(f, context, added));
    assertEquals(Shape.of(1, 8, 8, 4), out.shape());
    assertZeros(out);
  }

  private static void assertZeros(Tensor t) {
    for (float v : t.toFloats()) {
      assertEquals(0, v);
    }
  }

  private Object network(String part, JsonKeys config, Weights weights) {
    return switch (part) {
      case "unet" -> new UNet2DConditionModel(UNet2DConditionConfig.of(config), weights);
      case "vae" -> new AutoencoderKL(AutoencoderKLConfig.of(config), weights);
      case "text_encoder" -> new CLIPTextModel(CLIPTextConfig.of(config), weights);
      default -> new CLIPTextModelWithProjection(CLIPTextConfig.of(config), weights);
    };
  }

  /// Every tensor of the file is one that the networks ask for, in the shape that they need.
  @Test
  void singleFile() throws IOException {
    Path file = dir.resolve("v1-5.safetensors");
    var tensors = LdmLayout.stableDiffusion1();
    SparseSafetensors.write(file, tensors);
    try (var files = PipelineFiles.open(file, LoadMode.MAP)) {
      assertEquals("StableDiffusionPipeline", files.index().text("_class_name", ""));
      var parts = List.of("unet", "vae", "text_encoder");
      int asked = 0;
      for (String part : parts) {
        network(part, files.config(part), files.weights(part));
        try (var declared = new DeclaredTensors()) {
          network(part, files.config(part), Weights.of(declared));
          asked += declared.shapes().size();
        }
      }
      assertEquals(tensors.size(), asked);
      var e = assertThrows(CheckpointException.class, () -> files.config("text_encoder_2"));
      assertTrue(e.getMessage().contains("no text_encoder_2"), e.getMessage());
    }
    tensors.put("model.diffusion_model.input_blocks.0.0.weight", Shape.of(320, 9, 3, 3));
    Path inpainting = dir.resolve("inpainting.safetensors");
    SparseSafetensors.write(inpainting, tensors);
    try (var files = PipelineFiles.open(inpainting, LoadMode.MAP)) {
      assertEquals(9, UNet2DConditionConfig.of(files.config("unet")).inChannels());
      network("unet", files.config("unet"), files.weights("unet"));
    }
  }

  /// OpenCLIP keeps queries, keys and values in one matrix, and its last projection transposed.
  @Test
  void openClipMatrices() throws IOException {
    Path file = dir.resolve("xl.safetensors");
    SparseSafetensors.write(
        file,
        Map.of(
            "model.diffusion_model.input_blocks.0.0.weight", Shape.of(320, 4, 3, 3),
            "conditioner.embedders.1.model.token_embedding.weight", Shape.of(49408, 1280),
            "conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj_weight",
                Shape.of(3840, 1280),
            "conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj_bias",
                Shape.of(3840),
            "conditioner.embedders.1.model.text_projection", Shape.of(1280, 640)));
    try (var files = PipelineFiles.open(file, LoadMode.MAP)) {
      var weights = files.weights("text_encoder_2");
      var layer = weights.at("text_model.encoder.layers", 3);
      assertEquals(
          3840,
          layer
              .at("self_attn")
              .linears(List.of("q_proj", "k_proj", "v_proj"), 1280, 1280, true)
              .outFeatures());
      assertEquals(640, weights.linearWithoutBias("text_projection", 640, 1280).outFeatures());
      assertThrows(
          CheckpointException.class, () -> weights.linearWithoutBias("text_projection", 1280, 640));
    }
  }

  @Test
  void tensorThatDoesNotFit() throws IOException {
    var config = unetConfig();
    config.put("cross_attention_dim", 80);
    var e = refusedUnet(config);
    assertContains(
        e,
        "diffusion_pytorch_model.safetensors",
        "attn2.to_k.weight",
        "(64, 64) BF16",
        "need (64, 80)",
        "cross_attention_dim=[80, 80]",
        "gatun inspect");
  }

  @Test
  void missingTensor() throws IOException {
    var config = unetConfig();
    config.put("layers_per_block", 2);
    assertContains(refusedUnet(config), "is missing", "layers_per_block=[2, 2]");
  }

  @ParameterizedTest
  @CsvSource({
    "act_fn, \"gelu\"",
    "encoder_hid_dim, 768",
    "class_embed_type, \"simple_projection\"",
    "addition_embed_type, \"image\"",
    "only_cross_attention, true",
    "resnet_time_scale_shift, \"scale_shift\"",
    "mid_block_scale_factor, 2",
    "mid_block_type, \"UNetMidBlock2DSimpleCrossAttn\"",
    "attention_head_dim, '[4, 5, 6]'",
    "norm_num_groups, 0",
    "block_out_channels, \"wide\"",
    "transformer_layers_per_block, [1]",
    "freq_shift, \"none\"",
  })
  void refusedConfigurations(String key, String value) throws IOException {
    var config = unetConfig();
    config.set(key, new ObjectMapper().readTree(value));
    assertContains(refusedUnet(config), key);
  }

  private static ObjectNode unetConfig() throws IOException {
    Path file = TestData.pretrained("tiny-sd/unet/config.json");
    return (ObjectNode) new ObjectMapper().readTree(file.toFile());
  }

  private CheckpointException refusedUnet(ObjectNode config) {
    try (var files = PipelineFiles.open(TestData.pretrained("tiny-sd"), LoadMode.MAP)) {
      var weights = files.weights("unet");
      var keys = new JsonKeys(config, "config.json");
      return assertThrows(CheckpointException.class, () -> network("unet", keys, weights));
    }
  }

  @Test
  void missingParts() throws IOException {
    assertContains(refused(dir.resolve("nothing")), "does not exist");
    assertContains(refused(dir), "model_index.json", "missing");
    Files.copy(TestData.pretrained("tiny-sd/model_index.json"), dir.resolve("model_index.json"));
    try (var files = PipelineFiles.open(dir, LoadMode.MAP)) {
      assertTrue(files.has("unet"));
      var e = assertThrows(CheckpointException.class, () -> files.weights("unet"));
      assertContains(e, "unet", "is missing");
      e = assertThrows(CheckpointException.class, () -> files.config("text_encoder_2"));
      assertContains(e, "text_encoder_2");
    }
    Path unet = TestData.pretrained("tiny-sd/unet/diffusion_pytorch_model.safetensors");
    assertContains(refused(unet), "is no pipeline", "diffusers directory");
  }

  private static CheckpointException refused(Path path) {
    return assertThrows(CheckpointException.class, () -> PipelineFiles.open(path, LoadMode.MAP));
  }

  private static void assertContains(Exception e, String... parts) {
    Arrays.stream(parts).forEach(part -> assertTrue(e.getMessage().contains(part), e.getMessage()));
  }
}
