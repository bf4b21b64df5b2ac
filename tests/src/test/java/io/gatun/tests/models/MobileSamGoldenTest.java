package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
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
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// MobileSAM with random weights against its own code.
class MobileSamGoldenTest {
  private static final int SIDE = 256;

  @TempDir private static Path folder;

  /// Every such model, as a copy with what no tensor shows: its sizes are not the published ones.
  static Stream<Path> models() throws IOException {
    var models = new ArrayList<Path>();
    var json = new ObjectMapper();
    for (Path model : TestData.folders("seg-random")) {
      Path config = model.resolve("config.json");
      if (!Files.exists(config)
          || !json.readTree(config.toFile()).path("model_type").asText().equals("vit_t")) {
        continue;
      }
      Path copy = Files.createDirectories(folder.resolve(model.getFileName()));
      try (var files = Files.list(model)) {
        Path pt = files.filter(f -> f.toString().endsWith(".pt")).findFirst().orElseThrow();
        Files.write(copy.resolve("model.pt"), Files.readAllBytes(pt));
      }
      var decoder = json.readTree(config.toFile()).path("decoder");
      json.writeValue(
          copy.resolve("config.json").toFile(),
          Map.of(
              "model_type",
              "sam",
              "mask_decoder_config",
              Map.of("num_attention_heads", decoder.path("num_heads").asInt())));
      models.add(copy.resolve("model.pt"));
    }
    assertTrue(!models.isEmpty(), "no models");
    return models.stream();
  }

  private static Checkpoint golden(Path model, String name) {
    return Checkpoint.open(
        TestData.shared("seg-random/" + model.getParent().getFileName() + "/golden/" + name));
  }

  private static Image image(Checkpoint golden) {
    var pixels = Arena.ofAuto().allocate(3L * SIDE * SIDE);
    MemorySegment.copy(golden.tensor("image_uint8_hwc").segment(), 0, pixels, 0, pixels.byteSize());
    return Image.of(SIDE, SIDE, 3, pixels);
  }

  @ParameterizedTest
  @MethodSource("models")
  void encoder(Path model) {
    for (var backend : Backend.values()) {
      try (var golden = golden(model, "encoder.safetensors");
          var sam =
              Sam.load(
                  model, o -> o.backend(backend).imgSize(SIDE).dtype(DType.Plain.F32).threads(2))) {
        var f = sam.functional();
        var stage = new AtomicInteger(-1);
        try (var _ = f.scope()) {
          var encoded =
              sam.imageEncoder()
                  .encode(
                      f,
                      sam.input(image(golden)),
                      x -> {
                        int i = stage.getAndIncrement();
                        var expected =
                            i < 0
                                ? Goldens.nhwc(golden.tensor("patch_embed"))
                                : golden.tensor("layers." + i);
                        Goldens.assertClose("stage " + i, expected, x, 1e-4);
                      });
          Goldens.assertClose(
              "output", Goldens.nhwc(golden.tensor("output")), encoded.embedding(), 1e-4);
        }
        assertEquals(4, stage.get());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void masks(Path model) {
    try (var golden = golden(model, "decoder.safetensors");
        var encoder = golden(model, "encoder.safetensors");
        var sam = Sam.load(model, o -> o.imgSize(SIDE).dtype(DType.Plain.F32).threads(2));
        var image = sam.encode(image(encoder))) {
      int compared = 0;
      for (String name : golden.tensors().keySet()) {
        if (name.endsWith(".low_res_masks")) {
          var found = image.decode(List.of(prompt(golden, name)), name.contains(".multi."));
          Goldens.assertClose(name, golden.tensor(name), found.logits(), 1e-4);
          String ious = name.replace("low_res_masks", "iou");
          Goldens.assertClose(ious, golden.tensor(ious), found.iouPredictions(), 1e-4);
          compared++;
        }
      }
      assertEquals(6, compared);
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void masksInBf16AreThoseOfF32(Path model) {
    try (var golden = golden(model, "decoder.safetensors");
        var encoder = golden(model, "encoder.safetensors");
        var sam = Sam.load(model, o -> o.imgSize(SIDE).dtype(DType.Plain.BF16).threads(2));
        var other = Sam.load(model, o -> o.imgSize(SIDE).dtype(DType.Plain.F32).threads(2));
        var image = sam.encode(image(encoder));
        var exact = other.encode(image(encoder))) {
      var ious = new ArrayList<Double>();
      for (String name : golden.tensors().keySet()) {
        if (name.endsWith(".multi.low_res_masks")) {
          var prompt = prompt(golden, name);
          for (int i = 0; i < 3; i++) {
            ious.add(
                image.predict(prompt).masks().get(i).iou(exact.predict(prompt).masks().get(i)));
          }
        }
      }
      double mean = ious.stream().mapToDouble(d -> d).average().orElseThrow();
      assertTrue(mean > 0.98, () -> mean + " of " + ious);
    }
  }

  private static Prompt prompt(Checkpoint golden, String name) {
    String kind = name.substring(0, name.indexOf('.'));
    if (kind.equals("box")) {
      return SamGoldens.withBox(null, golden.tensor("box.box").toFloats());
    }
    Prompt prompt = null;
    float[] xy = golden.tensor(kind + ".points").toFloats();
    for (int i = 0; i < xy.length / 2; i++) {
      var labels = golden.tensor(kind + ".labels").segment();
      int label = (int) labels.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i);
      prompt = SamGoldens.withPoint(prompt, xy[2 * i], xy[2 * i + 1], label);
    }
    return prompt;
  }
}
