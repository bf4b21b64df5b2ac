package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.pipeline.ControlNetFile;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// ControlNets in files without a configuration are those of the directories.
class ControlNetFilesTest {
  @TempDir private Path folder;

  private static Path sd15() {
    return TestData.shared("diffusion-random/sd15_controlnet");
  }

  private static Path sdxl() {
    return TestData.shared("diffusion-random/sdxl_variants");
  }

  private static JsonKeys unet(Path config) {
    return JsonKeys.read(config.resolve("config.json"));
  }

  /// The configuration comes out as it was saved, and no tensor is left over.
  @ParameterizedTest
  @CsvSource({"original, control_model.", "original, ''", "diffusers, ''"})
  void configurations(String layout, String prefix) throws Exception {
    String[] nets = {"controlnet", "controlnet_sdxl"};
    String[] unets = {"unet", "unet_sdxl"};
    Path[] dirs = {sd15(), sdxl()};
    for (int i = 0; i < nets.length; i++) {
      Path dir = dirs[i].resolve(nets[i]);
      var keys = unet(dirs[i].resolve(unets[i]));
      Path file = folder.resolve(nets[i] + ".safetensors");
      try (var checkpoint = Checkpoint.open(dir)) {
        UNetOriginalNames.write(
            layout.equals("original")
                ? UNetOriginalNames.of(checkpoint.tensors(), dir.resolve("config.json"), prefix)
                : checkpoint.tensors(),
            file);
      }
      try (var saved = ControlNetFile.open(dir, LoadMode.MAP, keys);
          var found = ControlNetFile.open(file, LoadMode.MAP, keys)) {
        var expected = saved.model().config();
        var config = found.model().config();
        assertEquals(
            expected.conditioningEmbeddingOutChannels(), config.conditioningEmbeddingOutChannels());
        assertEquals(depths(expected.unet()), depths(config.unet()));
        assertEquals(expected.unet().numAttentionHeads(), config.unet().numAttentionHeads());
        assertEquals(expected.unet().useLinearProjection(), config.unet().useLinearProjection());
        assertEquals(expected.unet().hasTextTime(), config.unet().hasTextTime());
      }
    }
  }

  /// For each block the depths of its transformers, and those of the middle, which has the last.
  private static String depths(UNet2DConditionConfig config) {
    var all = new LinkedHashMap<String, Integer>();
    for (int block = 0; block < config.downBlockTypes().size(); block++) {
      var layers = config.transformerLayersPerBlock().get(block);
      all.put(block + config.downBlockTypes().get(block), layers.getLast());
    }
    // Of a block without attention no depth shows.
    all.replaceAll((block, depth) -> block.matches("[0-2]DownBlock2D") ? 0 : depth);
    return all + config.midBlockType() + config.crossAttentionDim();
  }

  /// The image that the file steers is that of the directory, bit for bit; beside the ControlNet
  /// the file may hold a whole Stable Diffusion.
  @Test
  void steersAsTheDirectoryDoes() throws Exception {
    Path plain = folder.resolve("plain");
    Files.createDirectories(plain);
    for (String part : new String[] {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
      Files.createSymbolicLink(plain.resolve(part), sd15().resolve(part).toAbsolutePath());
    }
    Files.writeString(
        plain.resolve("model_index.json"),
        Files.readString(sd15().resolve("model_index.json"))
            .replaceAll("(?s)\"controlnet\": \\[[^\\]]*\\],", ""));
    Path net = sd15().resolve("controlnet");
    Path file = folder.resolve("control_sd15_canny.safetensors");
    try (var checkpoint = Checkpoint.open(net)) {
      var tensors =
          UNetOriginalNames.of(checkpoint.tensors(), net.resolve("config.json"), "control_model.");
      tensors.put("model.diffusion_model.out.2.bias", one());
      tensors.put("first_stage_model.decoder.conv_in.bias", one());
      UNetOriginalNames.write(tensors, file);
    }
    assertArrayEquals(latents(plain, net), latents(plain, file));
  }

  /// What a configuration beside the file says counts: pictures with blue first.
  @Test
  void configurationBesideTheFile() throws Exception {
    Path net = sd15().resolve("controlnet");
    String json = Files.readString(net.resolve("config.json"));
    Files.writeString(folder.resolve("config.json"), json.replace("\"rgb\"", "\"bgr\""));
    Path file = folder.resolve("model.safetensors");
    try (var checkpoint = Checkpoint.open(net)) {
      UNetOriginalNames.write(checkpoint.tensors(), file);
    }
    try (var found = ControlNetFile.open(file, LoadMode.MAP, unet(sd15().resolve("unet")))) {
      assertTrue(found.model().config().bgr());
    }
  }

  private static float[] latents(Path model, Path net) {
    var last = new float[1][];
    var picture = Image.read(TestData.pretrained("tiny-sam/scene0.png")).resize(64, 64);
    try (var sd = StableDiffusion.load(model, o -> o.dtype(DType.Plain.F32).controlNet(net))) {
      sd.imagine(
          "a red circle",
          o ->
              o.steps(2)
                  .seed(1)
                  .size(64, 64)
                  .control(picture, 0.8, 0, 1)
                  .onStep(step -> last[0] = step.latents()));
    }
    return last[0];
  }

  private static Tensor one() {
    return Tensor.ofFloats(Arena.ofAuto(), new float[1], 1);
  }

  @ParameterizedTest
  @CsvSource({
    "lora_controlnet, a Control-LoRA",
    "lllite_unet_input_blocks_4_1.down.0.weight, a ControlNet-LLLite",
    "task_embedding, for several kinds of pictures",
    "controlnet_blocks.0.weight, a ControlNet for a transformer",
    "adapter.body.0.block1.weight, a T2I-Adapter",
    "difference, the difference of a ControlNet",
    "conv_in.weight, is no ControlNet"
  })
  void otherKinds(String tensor, String message) {
    Path file = folder.resolve("other.safetensors");
    UNetOriginalNames.write(Map.of(tensor, one()), file);
    refused(file, TestData.pretrained("tiny-sd/unet"), message);
  }

  /// One of Stable Diffusion 1 for XL, and files that lack tensors or have others.
  @Test
  void thatDoNotFit() throws Exception {
    Path net = sd15().resolve("controlnet");
    try (var checkpoint = Checkpoint.open(net)) {
      var tensors = UNetOriginalNames.of(checkpoint.tensors(), net.resolve("config.json"), "");
      Path file = folder.resolve("wrong.safetensors");
      UNetOriginalNames.write(tensors, file);
      refused(file, sdxl().resolve("unet_sdxl"), "a ControlNet for texts of 24 numbers");
      var more = new LinkedHashMap<>(tensors);
      more.put("zero_convs.12.0.weight", one());
      UNetOriginalNames.write(more, file);
      refused(file, sd15().resolve("unet"), "zero_convs.12.0.weight");
      tensors.remove("middle_block_out.0.weight");
      UNetOriginalNames.write(tensors, file);
      refused(file, sd15().resolve("unet"), "middle_block_out.0.weight");
    }
  }

  private static void refused(Path file, Path unet, String message) {
    var refused =
        assertThrows(
            CheckpointException.class,
            () -> ControlNetFile.open(file, LoadMode.MAP, unet(unet)).close());
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
    assertTrue(refused.getMessage().contains(file.getFileName().toString()), refused.getMessage());
  }
}
