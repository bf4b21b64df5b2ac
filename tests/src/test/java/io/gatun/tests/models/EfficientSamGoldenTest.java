package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamPredictor;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import io.gatun.tests.sam.SamGoldens;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// EfficientSAM with random weights against its own code.
class EfficientSamGoldenTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path folder;

  /// A model, its golden, and the side of its input, which no tensor shows.
  record Case(Path model, Path golden, int side) {
    Sam load(Backend backend, DType.Plain dtype) {
      return Sam.load(model, o -> o.backend(backend).imgSize(side).dtype(dtype).threads(2));
    }

    Checkpoint open() {
      return Checkpoint.open(golden);
    }
  }

  /// Every such model, as a copy with what no tensor shows: its sizes are not the published ones.
  static Stream<Case> models() throws IOException {
    var models = new ArrayList<Case>();
    for (Path model : TestData.folders("seg-random")) {
      Path config = model.resolve("config.json");
      if (!Files.exists(config)
          || !JSON.readTree(config.toFile()).path("model_type").asText().equals("efficient_sam")) {
        continue;
      }
      Path copy = Files.createDirectories(folder.resolve(model.getFileName()));
      try (var files = Files.list(model)) {
        Path pt = files.filter(f -> f.toString().endsWith(".pt")).findFirst().orElseThrow();
        Files.write(copy.resolve("model.pt"), Files.readAllBytes(pt));
      }
      var sizes = JSON.readTree(config.toFile());
      JSON.writeValue(
          copy.resolve("config.json").toFile(),
          Map.of(
              "model_type",
              "sam",
              "vision_config",
              Map.of("num_attention_heads", sizes.at("/image_encoder/num_heads").asInt()),
              "mask_decoder_config",
              Map.of("num_attention_heads", sizes.at("/decoder/num_heads").asInt())));
      models.add(
          new Case(
              copy.resolve("model.pt"),
              model.resolve("golden/efficient_sam.safetensors"),
              sizes.at("/image_size").asInt()));
    }
    assertTrue(!models.isEmpty(), "no models");
    return models.stream();
  }

  private static Image image(Checkpoint golden) {
    var stored = golden.tensor("image_uint8_hwc");
    var pixels = Arena.ofAuto().allocate(stored.size());
    MemorySegment.copy(stored.segment(), 0, pixels, 0, pixels.byteSize());
    return Image.of((int) stored.dim(1), (int) stored.dim(0), 3, pixels);
  }

  private static Prompt prompt(Checkpoint golden, String kind) {
    Prompt prompt = null;
    float[] xy = golden.tensor(kind + ".points").toFloats();
    var labels = golden.tensor(kind + ".labels").segment();
    for (int i = 0; i < xy.length / 2; i++) {
      long label = labels.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i);
      if (label == 1) {
        prompt = SamGoldens.withPoint(prompt, xy[2 * i], xy[2 * i + 1], 1);
      } else if (label == 2) { // the corner after it is the opposite one
        prompt = SamGoldens.withBox(prompt, xy[2 * i], xy[2 * i + 1], xy[2 * i + 2], xy[2 * i + 3]);
      }
    }
    return prompt;
  }

  private static List<String> kinds(Checkpoint golden) {
    return golden.tensors().keySet().stream()
        .filter(name -> name.endsWith(".low_res_masks"))
        .map(name -> name.substring(0, name.indexOf('.')))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("models")
  void agreesWithItsCode(Case model) {
    for (var backend : Backend.values()) {
      try (var golden = model.open();
          var sam = model.load(backend, DType.Plain.F32);
          var image = sam.encode(image(golden))) {
        assertEquals(SamConfig.Kind.EFFICIENT, sam.config().kind());
        Goldens.assertClose(
            "embedding", Goldens.nhwc(golden.tensor("embedding")), image.embedding(), 1e-4);
        for (String kind : kinds(golden)) {
          var found = image.decode(List.of(prompt(golden, kind)), true);
          String name = kind + ".multi.low_res_masks";
          Goldens.assertClose(name, golden.tensor(name), found.logits(), 1e-4);
          String ious = kind + ".multi.iou";
          Goldens.assertClose(ious, golden.tensor(ious), found.iouPredictions(), 1e-4);
        }
        assertEquals(4, kinds(golden).size());
      }
    }
  }

  /// Where one mask is asked for it is the best of three.
  @ParameterizedTest
  @MethodSource("models")
  void oneMaskIsTheBest(Case model) {
    try (var golden = model.open();
        var sam = model.load(Backend.NATIVE, DType.Plain.F32);
        var image = sam.encode(image(golden))) {
      for (String kind : kinds(golden)) {
        float[] ious = golden.tensor(kind + ".multi.iou").toFloats();
        int best = 0;
        for (int i = 1; i < ious.length; i++) {
          best = ious[i] > ious[best] ? i : best;
        }
        var found = image.decode(List.of(prompt(golden, kind)), false);
        assertArrayEquals(new float[] {ious[best]}, found.iouPredictions(), 1e-4f);
        Tensor mask = golden.tensor(kind + ".multi.low_res_masks").get(0).get(best);
        Goldens.assertClose(kind, mask, found.logits().get(0).get(0), 1e-4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void masksInBf16AreThoseOfF32(Case model) {
    try (var golden = model.open();
        var sam = model.load(Backend.NATIVE, DType.Plain.BF16);
        var other = model.load(Backend.NATIVE, DType.Plain.F32);
        var image = sam.encode(image(golden));
        var exact = other.encode(image(golden))) {
      var ious = new ArrayList<Double>();
      for (String kind : kinds(golden)) {
        var prompt = prompt(golden, kind);
        for (int i = 0; i < 3; i++) {
          ious.add(image.predict(prompt).masks().get(i).iou(exact.predict(prompt).masks().get(i)));
        }
      }
      double mean = ious.stream().mapToDouble(d -> d).average().orElseThrow();
      assertTrue(mean > 0.98, () -> mean + " of " + ious);
    }
  }

  /// Its prompts are points on the object and a box, six points in all.
  @ParameterizedTest
  @MethodSource("models")
  void promptsThatItDoesNotKnow(Case model) {
    try (var golden = model.open();
        var sam = model.load(Backend.NATIVE, DType.Plain.F32);
        var image = sam.encode(image(golden))) {
      var point = Prompt.point(10, 10);
      int side = sam.config().maskSize();
      assertRefused(image, point.withMask(new float[side * side]), "no masks", "a box");
      assertRefused(image, point.withBackground(20, 20), "no points beside the object");
      var five = point.withPoint(1, 1).withPoint(2, 2).withPoint(3, 3).withPoint(4, 4);
      assertRefused(image, five.withBox(0, 0, 20, 20), "7 points", "sees 6");
      assertEquals(3, image.predict(five.withPoint(5, 5)).masks().size());
    }
  }

  /// What `efficient_sam_vitt.pt` and `efficient_sam_vits.pt` are made of.
  @ParameterizedTest
  @CsvSource({"192, 3", "384, 6"})
  void publishedSizes(int embedDim, int heads) throws IOException {
    try (var checkpoint = Checkpoint.open(shapes(embedDim))) {
      var config = SamConfig.of(checkpoint, 0);
      var encoder = assertInstanceOf(ViTConfig.class, config.encoder());
      assertEquals(SamConfig.Kind.EFFICIENT, config.kind());
      assertEquals(1024, config.imgSize());
      assertEquals(heads, encoder.numHeads());
      assertEquals(14, encoder.positionGrid());
      assertEquals(4 * embedDim, encoder.mlpDim());
      assertEquals(12, encoder.depth());
      assertEquals(8, config.decoderHeads());
      assertEquals(256, config.maskSize());
    }
  }

  /// Heads do not show from tensors.
  @Test
  void sizesThatAreNotPublished() throws IOException {
    try (var checkpoint = Checkpoint.open(shapes(200))) {
      String message =
          assertThrows(CheckpointException.class, () -> SamConfig.of(checkpoint, 0)).getMessage();
      assertTrue(message.contains("200 channels"), message);
      assertTrue(message.contains("vision_config.num_attention_heads"), message);
    }
  }

  /// A file of the tensors whose shapes are the configuration.
  private static Path shapes(int embedDim) throws IOException {
    Path file = Files.createTempDirectory(folder, "shapes").resolve("model.safetensors");
    var writer = new SafetensorsWriter();
    zeros(writer, "image_encoder.patch_embed.proj.weight", embedDim, 3, 16, 16);
    zeros(writer, "image_encoder.pos_embed", 1, 14 * 14 + 1, embedDim);
    for (int i = 0; i < 12; i++) {
      zeros(writer, "image_encoder.blocks.%d.norm1.weight".formatted(i), embedDim);
    }
    zeros(writer, "image_encoder.blocks.0.mlp.fc1.weight", 4L * embedDim, embedDim);
    zeros(writer, "image_encoder.neck.0.weight", 256, embedDim, 1, 1);
    zeros(writer, "prompt_encoder.bbox_top_left_embeddings.weight", 1, 256);
    String layer = "mask_decoder.transformer.layers.%d.";
    for (int i = 0; i < 2; i++) {
      zeros(writer, layer.formatted(i) + "norm1.weight", 256);
    }
    zeros(writer, layer.formatted(0) + "cross_attn_token_to_image.q_proj.weight", 128, 256);
    zeros(writer, layer.formatted(0) + "mlp.layers.0.0.weight", 2048, 256);
    zeros(writer, "mask_decoder.mask_tokens.weight", 4, 256);
    zeros(writer, "mask_decoder.iou_prediction_head.layers.0.0.weight", 256, 256);
    writer.write(file);
    return file;
  }

  private static void zeros(SafetensorsWriter writer, String name, long... dims) {
    var tensor = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, dims);
    writer.add(name, tensor.dtype(), tensor.shape(), sink -> sink.write(tensor.segment()));
  }

  private static void assertRefused(SamPredictor image, Prompt prompt, String... words) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> image.predict(prompt)).getMessage();
    for (String word : words) {
      assertTrue(message.contains(word), message);
    }
  }
}
