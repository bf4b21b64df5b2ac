package io.gatun.tests.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.Weights;
import io.gatun.models.pipeline.ControlNetFile;
import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.UNet2DConditionConfig;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// ControlNets against recorded results of diffusers: each residual, and the UNet with them.
class ControlNetGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "sd15_controlnet, controlnet, unet, controlnet, t21, 0.7, NATIVE, F32",
    "sd15_controlnet, controlnet, unet, controlnet, t601, 0.7, VECTOR, F32",
    "sdxl_variants, controlnet_sdxl, unet_sdxl, controlnet_sdxl, t21, 0.6, VECTOR, F32",
    "sdxl_variants, controlnet_sdxl, unet_sdxl, controlnet_sdxl, t601, 0.6, NATIVE, F32",
    "sdxl_variants, controlnet_sdxl, unet_sdxl, controlnet_sdxl, t21, 0.6, NATIVE, BF16",
  })
  void residuals(
      String model,
      String part,
      String unetPart,
      String golden,
      String call,
      String scale,
      Backend backend,
      DType.Plain dtype) {
    Path dir = TestData.shared("diffusion-random/" + model);
    try (var goldens = new Goldens(dir.resolve("golden/" + golden + ".safetensors"), dtype);
        var file =
            ControlNetFile.open(
                dir.resolve(part),
                LoadMode.MAP,
                JsonKeys.read(dir.resolve(unetPart + "/config.json")));
        var checkpoint = Checkpoint.open(dir.resolve(unetPart));
        var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, dtype);
      var net = file.model();
      var config = UNet2DConditionConfig.of(JsonKeys.read(dir.resolve(unetPart + "/config.json")));
      var unet = new UNet2DConditionModel(config, Weights.of(checkpoint));
      String in = call + ".in.";
      var text = goldens.tensor(in + "encoder_hidden_states");
      var added =
          config.hasTextTime()
              ? UNetGoldenTest.added(goldens, in + "added_cond_kwargs.")
              : AddedConditions.NONE;
      var sample = goldens.image(in + "sample");
      double t = goldens.tensor(in + "timestep").toFloats()[0];
      var picture = net.embed(f, goldens.image(in + "controlnet_cond"));
      var found =
          net.forward(
              f, sample, t, net.condition(f, text, added), picture, Double.parseDouble(scale));
      String out = "%s.scale%s.".formatted(call, scale);
      for (int i = 0; i < found.down().size(); i++) {
        goldens.stage(out + "down" + i, found.down().get(i));
      }
      goldens.stage(out + "mid", found.mid());
      var conditioning = unet.condition(f, text, added);
      goldens.check(
          out + "unet_out", unet.forward(f, sample, t, conditioning, found, (name, x) -> {}));
      goldens.assertCompared(found.down().size() + 2, 1);
    }
  }
}
