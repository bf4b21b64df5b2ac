package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.sam.SamGoldens;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Models in the layouts of both reference implementations, against what those make of them.
class SamLayoutsTest {
  private static final int SIZE = 48;
  private static final float TOLERANCE = 1e-4f;

  @ParameterizedTest
  @CsvSource({
    "sam.pth, sam, SCALAR",
    "sam.pth, sam, VECTOR",
    "sam.pth, sam, NATIVE",
    "hf, hf, NATIVE",
    "hf/model.safetensors, hf, NATIVE",
  })
  void agreesWithReference(String file, String key, Backend backend) throws URISyntaxException {
    try (var golden = Checkpoint.open(resource("goldens.safetensors"));
        var sam =
            Sam.load(resource(file), o -> o.backend(backend).dtype(DType.Plain.F32).threads(2));
        var image = sam.encode(golden.tensor("image"), SIZE, SIZE)) {
      Goldens.assertClose(
          "embedding", golden.tensor(key + ".embedding"), image.embedding(), TOLERANCE);
      int compared = 0;
      for (String name : golden.tensors().keySet()) {
        if (name.matches(key + "\\.\\w+\\.(multi|single)")) {
          var prompts = prompts(name.split("\\.", -1)[1], golden);
          var found = image.decode(prompts, name.endsWith("multi"));
          Goldens.assertClose(name, golden.tensor(name), found.logits(), TOLERANCE);
          Goldens.assertClose(
              name + ".iou", golden.tensor(name + ".iou"), found.iouPredictions(), TOLERANCE);
          compared++;
        }
      }
      assertEquals(key.equals("sam") ? 8 : 4, compared);
    }
  }

  /// Positions are interpolated for an input of another size than the model was made for.
  @Test
  void otherInputSize() throws URISyntaxException {
    try (var golden = Checkpoint.open(resource("goldens.safetensors"));
        var sam = Sam.load(resource("sam.pth"), o -> o.imgSize(64).dtype(DType.Plain.F32));
        var image = sam.encode(golden.tensor("larger"), 64, 64)) {
      Goldens.assertClose(
          "embedding", golden.tensor("sam.larger.embedding"), image.embedding(), TOLERANCE);
    }
  }

  private static List<Prompt> prompts(String form, Checkpoint golden) {
    var prompts = new ArrayList<Prompt>();
    int[][] labels = {{1, 0}, {1, 1}, {0, 1}};
    for (int i = 0; i < labels.length; i++) {
      boolean all = form.equals("all");
      Prompt prompt = null;
      for (int p = 0; p < 2 && (all || form.equals("points")); p++) {
        float[] xy = golden.tensor("points").get(i).get(p).toFloats();
        prompt = SamGoldens.withPoint(prompt, xy[0], xy[1], labels[i][p]);
      }
      if (all || form.equals("boxes")) {
        prompt = SamGoldens.withBox(prompt, golden.tensor("boxes").get(i).toFloats());
      }
      if (all || form.equals("mask")) {
        float[] logits = golden.tensor("mask").get(i).toFloats();
        prompt = prompt == null ? Prompt.mask(logits) : prompt.withMask(logits);
      }
      prompts.add(prompt);
    }
    return prompts;
  }

  private static Path resource(String name) throws URISyntaxException {
    return Path.of(SamLayoutsTest.class.getResource("sam/" + name).toURI());
  }
}
