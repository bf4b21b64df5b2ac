package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.diffusion.files.GivenParts;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.nn.DeclaredTensors;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// UNets that are XL or 1 with fewer layers or more conditions, from files with their makers'
/// names.
class UNetVariantsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String PREFIX = "model.diffusion_model.";

  @TempDir private Path folder;

  /// What published single files of these kinds hold, in their real sizes: their tensors show the
  /// configuration, and all of them are read.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "xl | {}",
        "ssd-1b | {'transformer_layers_per_block': [0, [2, 2], [4, 4]],"
            + " 'reverse_transformer_layers_per_block': [[4, 4, 10], [2, 1, 1], 0],"
            + " 'mid_block_type': 'UNetMidBlock2D'}",
        "vega | {'transformer_layers_per_block': [0, [1, 1], [2, 2]],"
            + " 'reverse_transformer_layers_per_block': [[2, 2, 2], [1, 1, 1], 0],"
            + " 'mid_block_type': null}",
        "sd1 | {}",
        "lcm | {'time_cond_proj_dim': 256}"
      })
  void singleFiles(String kind, String differences) throws IOException {
    boolean xl = !kind.equals("sd1") && !kind.equals("lcm");
    String configs = xl ? "sdxl-configs" : "sd15-configs";
    var json = (ObjectNode) JSON.readTree(TestData.shared(configs + "/unet/config.json").toFile());
    json.setAll((ObjectNode) JSON.readTree(differences.replace('\'', '"')));
    Path saved = folder.resolve("config.json");
    Files.writeString(saved, json.toString());
    var expected = UNet2DConditionConfig.of(JsonKeys.read(saved));
    Path file = folder.resolve(kind + ".safetensors");
    var shapes = new LinkedHashMap<String, Shape>();
    try (var declared = new DeclaredTensors()) {
      new UNet2DConditionModel(expected, Weights.of(declared));
      UNetOriginalNames.of(declared.shapes(), saved, PREFIX).forEach(shapes::put);
    }
    int unets = shapes.size();
    shapes.put(
        xl
            ? "conditioner.embedders.1.model.token_embedding.weight"
            : "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        Shape.of(1));
    SparseSafetensors.write(file, shapes);
    try (var files = PipelineFiles.open(file, LoadMode.MAP)) {
      var found = UNet2DConditionConfig.of(files.config("unet"));
      assertEquals(expected.midBlockType(), found.midBlockType());
      assertEquals(expected.timeCondProjDim(), found.timeCondProjDim());
      assertEquals(expected.numAttentionHeads(), found.numAttentionHeads());
      assertEquals(
          kind.equals("lcm") ? "LCMScheduler" : "EulerDiscreteScheduler",
          files.config("scheduler").text("_class_name", ""));
      new UNet2DConditionModel(found, files.weights("unet"));
      try (var declared = new DeclaredTensors()) {
        new UNet2DConditionModel(found, Weights.of(declared));
        assertEquals(unets, declared.shapes().size());
      }
    }
  }

  /// Files of the network alone, in place of a directory's.
  @ParameterizedTest
  @CsvSource({
    "unet_ssd, safetensors, ''",
    "unet_ssd, gguf, model.diffusion_model.",
    "unet_vega, safetensors, model.diffusion_model.",
    "unet_vega, gguf, ''",
    "unet_sdxl, gguf, ''"
  })
  void networks(String unet, String form, String prefix) throws IOException {
    Path dir = TestData.shared("diffusion-random/sdxl_variants").resolve(unet);
    Path pipeline = folder.resolve("pipeline");
    Files.createDirectories(pipeline);
    Files.createSymbolicLink(pipeline.resolve("unet"), dir.toAbsolutePath());
    Files.writeString(
        pipeline.resolve("model_index.json"),
        "{\"_class_name\": \"StableDiffusionXLPipeline\","
            + " \"unet\": [\"diffusers\", \"UNet2DConditionModel\"]}");
    Path file = folder.resolve("network." + form);
    try (var checkpoint = Checkpoint.open(dir)) {
      var tensors = UNetOriginalNames.of(checkpoint.tensors(), dir.resolve("config.json"), prefix);
      write(tensors, file);
    }
    float[] expected = prediction(pipeline, null);
    assertArrayEquals(expected, prediction(pipeline, file));
    assertTrue(Float.isFinite(expected[0]));
  }

  private static void write(Map<String, Tensor> tensors, Path file) {
    if (file.toString().endsWith(".gguf")) {
      var writer = new GgufWriter().metadata("general.architecture", "sdxl");
      tensors.forEach(writer::add);
      writer.write(file);
    } else {
      var writer = new SafetensorsWriter();
      tensors.forEach(writer::add);
      writer.write(file);
    }
  }

  private static float[] prediction(Path pipeline, Path network) {
    try (var files =
            PipelineFiles.open(pipeline, LoadMode.MAP, new GivenParts(null, network, List.of()));
        var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      var config = UNet2DConditionConfig.of(files.config("unet"));
      var unet = new UNet2DConditionModel(config, files.weights("unet"));
      files.requireAllUsed(false);
      int width = config.crossAttentionDim().getFirst();
      int pooled = config.projectionClassEmbeddingsInputDim() - 6 * config.additionTimeEmbedDim();
      var added = AddedConditions.textTime(ones(pooled), new double[1][6]);
      var context = ones(3L * width).reshape(1, 3, width);
      return unet.forward(
              f, ones(4 * 64).reshape(1, 8, 8, 4), 500, unet.condition(f, context, added))
          .toFloats();
    }
  }

  private static Tensor ones(long size) {
    var values = new float[(int) size];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i % 7 - 3) / 3f;
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, 1, size);
  }

  /// A network that says that it predicts v is not run as one that predicts noise, whatever the
  /// directory's scheduler was for.
  @Test
  void whatAnotherNetworkPredicts() throws IOException {
    Path tiny = TestData.pretrained("tiny-sd");
    Path file = folder.resolve("v.safetensors");
    var one = Tensor.ofFloats(Arena.ofAuto(), new float[1], 1);
    try (var checkpoint = Checkpoint.open(tiny.resolve("unet"))) {
      for (String mark : List.of("", "v_pred", "ztsnr")) {
        var writer = new SafetensorsWriter();
        checkpoint.tensors().forEach(writer::add);
        if (!mark.isEmpty()) {
          writer.add(mark, one);
        }
        writer.write(file);
        try (var files =
            PipelineFiles.open(tiny, LoadMode.MAP, new GivenParts(null, file, List.of()))) {
          var scheduler = files.config("scheduler");
          new UNet2DConditionModel(
              UNet2DConditionConfig.of(files.config("unet")), files.weights("unet"));
          files.requireAllUsed(false);
          assertEquals(
              mark.equals("v_pred") ? "v_prediction" : "epsilon",
              scheduler.text("prediction_type", "epsilon"));
          assertEquals(mark.equals("ztsnr"), scheduler.flag("rescale_betas_zero_snr", false));
        }
      }
    }
  }
}
