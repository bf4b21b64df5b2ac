package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.dit.ZImageConfig;
import io.gatun.models.dit.ZImageTransformer2DModel;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Z-Image's transformer against recorded results of diffusers, part by part; the recorded batches
/// are of two images, the second of which has a shorter text, and so padding.
class ZImageGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "early, VECTOR, F32, 10",
    "early, NATIVE, F32, 10",
    "early, NATIVE, BF16, 10",
    "late, NATIVE, F32, 3",
  })
  void blocks(String call, Backend backend, DType.Plain dtype, int records) {
    Path dir = TestData.shared("diffusion-random/z_image");
    try (var goldens = new Goldens(dir.resolve("golden/transformer.safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve("transformer"));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var config = ZImageConfig.of(JsonKeys.read(dir.resolve("transformer/config.json")));
      var network = new ZImageTransformer2DModel(config, Weights.of(checkpoint));
      for (int row = 0; row < 2; row++) {
        int b = row;
        String in = call + ".in.";
        BiConsumer<String, Tensor> probe =
            (name, x) -> {
              if (!name.equals("cap_embedder")) { // recorded with padding, both texts in one
                goldens.stage(call + "." + name, t -> part(t, b, x), x);
              }
            };
        var caption = network.caption(f, goldens.tensor(in + "cap_feats." + b), probe);
        double t = goldens.tensor(in + "t").getFloat(b);
        var sample = image(goldens.tensor(in + "x." + b));
        var out = network.forward(f, sample, 1000 - 1000 * t, caption, probe);
        goldens.check(call + ".out." + b, ZImageGoldenTest::image, out);
      }
      goldens.assertCompared(records, 2);
    }
  }

  /// (C, 1, H, W) as (H, W, C).
  private static Tensor image(Tensor recorded) {
    var shape = recorded.shape().dims();
    return Goldens.nhwc(recorded.reshape(1, shape[0], shape[2], shape[3])).get(0);
  }

  /// An image's rows without those that fill up the batch.
  private static Tensor part(Tensor recorded, int row, Tensor found) {
    var own = recorded.shape().rank() == 2 ? recorded.slice(0, row, row + 1) : recorded.get(row);
    return own.slice(0, 0, found.dim(0));
  }
}
