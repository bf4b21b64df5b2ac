package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import io.gatun.tests.sam.SamGoldens;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// SAM 2 with random weights against what facebookresearch/sam2 makes of images, in both layouts.
class Sam2GoldenTest {
  private static final int SIDE = 128;

  @TempDir private static Path folder;

  /// Every model that has the goldens: transformers' directory, and Meta's file, beside which lies
  /// what no tensor shows, as its sizes are not those of a published model.
  static Stream<Path> models() throws IOException {
    var models = new ArrayList<Path>();
    for (Path model : TestData.folders("seg-random")) {
      if (!isSam2(model) || !Files.exists(model.resolve("golden/image.safetensors"))) {
        continue;
      }
      models.add(model);
      var files = TestData.names("seg-random/" + model.getFileName());
      if (files.contains("official")) {
        models.add(official(model));
      }
    }
    assertTrue(!models.isEmpty(), "no models");
    return models.stream();
  }

  static boolean isSam2(Path model) throws IOException {
    Path config = model.resolve("config.json");
    return Files.exists(config)
        && new ObjectMapper()
            .readTree(config.toFile())
            .path("model_type")
            .asText()
            .startsWith("sam2");
  }

  private static Path official(Path model) throws IOException {
    Path copy = Files.createDirectories(folder.resolve(model.getFileName()));
    try (var files =
        Files.list(TestData.shared("seg-random/" + model.getFileName() + "/official"))) {
      Path pt = files.filter(f -> f.toString().endsWith(".pt")).findFirst().orElseThrow();
      Files.write(copy.resolve("config.json"), Files.readAllBytes(model.resolve("config.json")));
      Files.write(copy.resolve("model.pt"), Files.readAllBytes(pt));
    }
    return copy.resolve("model.pt");
  }

  static Path goldens(Path model) {
    Path dir = model.endsWith("model.pt") ? model.getParent() : model;
    return TestData.shared("seg-random/" + dir.getFileName() + "/golden");
  }

  @ParameterizedTest
  @MethodSource("models")
  void encoder(Path model) {
    for (var backend : Backend.values()) {
      try (var golden = Checkpoint.open(goldens(model).resolve("encoder.safetensors"));
          var sam = Sam.load(model, o -> o.backend(backend).dtype(DType.Plain.F32).threads(2))) {
        var f = sam.functional();
        var stage = new AtomicInteger(-1);
        try (var _ = f.scope()) {
          var encoded =
              sam.imageEncoder()
                  .encode(
                      f,
                      Goldens.nhwc(golden.tensor("pixel_values")),
                      x -> {
                        int block = stage.getAndIncrement();
                        if (block >= 0) {
                          String name = "blocks." + block;
                          Goldens.assertClose(name, golden.tensor(name), x, 1e-4);
                        }
                      });
          Goldens.assertClose(
              "image_embed",
              Goldens.nhwc(golden.tensor("image_embed")),
              sam.withoutMemory(encoded.embedding()),
              1e-4);
        }
        assertEquals(sam.config().encoder().depth(), stage.get());
      }
    }
  }

  /// A few rows of mask units at a time give what all of them give together, as a probe sees them.
  @ParameterizedTest
  @MethodSource("models")
  void unitsInParts(Path model) {
    int side = 3 * SIDE; // 12 rows of units, of which 5 are computed together
    try (var sam = Sam.load(model, o -> o.imgSize(side).dtype(DType.Plain.F32).threads(2))) {
      var f = sam.functional();
      try (var _ = f.scope()) {
        var image = f.empty(1, side, side, 3);
        for (long i = 0; i < image.size(); i++) {
          image.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Math.sin(0.37 * i));
        }
        var parts = sam.imageEncoder().encode(f, image);
        var whole = sam.imageEncoder().encode(f, image, _ -> {});
        assertArrayEquals(whole.embedding().toFloats(), parts.embedding().toFloats(), 1e-5f);
        for (int i = 0; i < 2; i++) {
          assertArrayEquals(
              whole.levels().get(i).toFloats(), parts.levels().get(i).toFloats(), 1e-5f);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void masks(Path model) {
    try (var golden = Checkpoint.open(goldens(model).resolve("image.safetensors"));
        var encoder = Checkpoint.open(goldens(model).resolve("encoder.safetensors"));
        var sam = Sam.load(model, o -> o.dtype(DType.Plain.F32).threads(2));
        var image = sam.encode(Goldens.nhwc(encoder.tensor("pixel_values")), SIDE, SIDE)) {
      int compared = 0;
      for (String name : golden.tensors().keySet()) {
        if (name.matches("\\w+\\.(multi|single)\\.low_res_masks")) {
          var found = image.decode(prompts(golden, name), name.contains(".multi."));
          Goldens.assertClose(name, golden.tensor(name), found.logits(), 1e-4);
          String ious = name.replace("low_res_masks", "iou");
          Goldens.assertClose(ious, golden.tensor(ious), found.iouPredictions(), 1e-4);
          compared++;
        }
      }
      assertTrue(compared >= 14, "masks of " + compared + " prompts");
    }
  }

  /// On average over all prompts' masks.
  @ParameterizedTest
  @MethodSource("models")
  void masksInBf16AreThoseOfF32(Path model) {
    try (var golden = Checkpoint.open(goldens(model).resolve("image.safetensors"));
        var encoder = Checkpoint.open(goldens(model).resolve("encoder.safetensors"));
        var sam = Sam.load(model, o -> o.dtype(DType.Plain.BF16).threads(2));
        var other = Sam.load(model, o -> o.dtype(DType.Plain.F32).threads(2));
        var image = sam.encode(Goldens.nhwc(encoder.tensor("pixel_values")), SIDE, SIDE);
        var exact = other.encode(Goldens.nhwc(encoder.tensor("pixel_values")), SIDE, SIDE)) {
      var ious = new ArrayList<Double>();
      for (String name : golden.tensors().keySet()) {
        if (name.matches("\\w+\\.multi\\.low_res_masks")) {
          var prompts = prompts(golden, name);
          var found = image.predict(prompts, true);
          var expected = exact.predict(prompts, true);
          for (int p = 0; p < prompts.size(); p++) {
            for (int i = 0; i < 3; i++) {
              ious.add(found.get(p).masks().get(i).iou(expected.get(p).masks().get(i)));
            }
          }
        }
      }
      double mean = ious.stream().mapToDouble(d -> d).average().orElseThrow();
      assertTrue(mean > 0.98, () -> mean + " of " + ious);
    }
  }

  static List<Prompt> prompts(Checkpoint golden, String name) {
    String kind = name.substring(0, name.indexOf('.'));
    Tensor points = golden.tensors().get(kind + ".points");
    Tensor boxes = golden.tensors().get(kind + ".box");
    int count = (int) golden.tensor(name).dim(0);
    var prompts = new ArrayList<Prompt>();
    for (int i = 0; i < count; i++) {
      Prompt prompt = null;
      for (int p = 0; points != null && p < points.dim(1); p++) {
        float[] xy = points.get(i).get(p).toFloats();
        int label =
            golden
                .tensor(kind + ".labels")
                .get(i)
                .segment()
                .getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, p);
        prompt = SamGoldens.withPoint(prompt, xy[0], xy[1], label);
      }
      if (boxes != null) {
        prompt = SamGoldens.withBox(prompt, boxes.get(i).toFloats());
      }
      if (kind.contains("mask")) {
        float[] logits = golden.tensor("mask_prompt").toFloats();
        prompt = prompt == null ? Prompt.mask(logits) : prompt.withMask(logits);
      }
      prompts.add(prompt);
    }
    return prompts;
  }
}
