package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Upscaler;
import io.gatun.models.esrgan.EsrganNames;
import io.gatun.models.esrgan.RRDBNet;
import io.gatun.models.image.Image;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Upscalers against recorded results of the reference, under each program's names.
class EsrganGoldenTest {
  @ParameterizedTest
  @CsvSource({
    "RealESRGAN_x4_random.safetensors, x4, VECTOR, F32, 3",
    "RealESRGAN_x4_random.safetensors, x4, NATIVE, F32, 3",
    "ESRGAN_x4_old_names.pth, x4, NATIVE, F32, 3",
    "RealESRGAN_x2_random.pth, x2, NATIVE, F32, 3",
    "RealESRGAN_x2_random.pth, x2, NATIVE, BF16, 1",
  })
  void network(String file, String golden, Backend backend, DType.Plain dtype, int records) {
    Path dir = TestData.shared("diffusion-random/esrgan");
    try (var goldens = new Goldens(dir.resolve("golden/" + golden + ".safetensors"), dtype);
        var checkpoint = Checkpoint.open(dir.resolve(file));
        var ops = new Ops(backend, 2)) {
      var tensors = new UsedTensors(checkpoint);
      var network = new RRDBNet(Weights.of(tensors, EsrganNames.of(tensors)));
      var f = new Functional(ops, dtype);
      var out =
          network.forward(
              f, goldens.image("square.in"), (name, x) -> goldens.stage("square." + name, x));
      goldens.check("square.out", out);
      goldens.assertCompared(records, 1);
    }
  }

  /// The image as a whole, to the last rounding.
  @ParameterizedTest
  @CsvSource({
    "RealESRGAN_x4_random.safetensors, x4, wide",
    "RealESRGAN_x2_random.pth, x2, wide",
    "RealESRGAN_x2_random.pth, x2, square",
  })
  void images(String file, String golden, String call) {
    Path dir = TestData.shared("diffusion-random/esrgan");
    try (var recorded = Checkpoint.open(dir.resolve("golden/" + golden + ".safetensors"));
        var upscaler = Upscaler.load(dir.resolve(file), Backend.NATIVE, 2, DType.Plain.F32)) {
      Tensor in = Goldens.nhwc(recorded.tensor(call + ".in"));
      Image found = upscaler.upscale(bytes(in));
      Tensor expected = recorded.tensor(call + ".uint8_hwc");
      assertEquals(expected.dim(0), found.height());
      assertEquals(expected.dim(1), found.width());
      double sum = 0;
      for (long i = 0; i < expected.size(); i++) {
        int value = Byte.toUnsignedInt(expected.segment().get(ValueLayout.JAVA_BYTE, i));
        sum += Math.abs(value - Byte.toUnsignedInt(found.pixels().get(ValueLayout.JAVA_BYTE, i)));
      }
      // What went in was recorded as floats, and is rounded to bytes here.
      assertTrue(sum / expected.size() < 1, "mean difference " + sum / expected.size());
    }
  }

  private static Image bytes(Tensor values) {
    var bytes = Arena.ofAuto().allocate(values.size());
    float[] floats = values.toFloats();
    for (int i = 0; i < floats.length; i++) {
      bytes.set(ValueLayout.JAVA_BYTE, i, (byte) Math.rint(Math.clamp(floats[i], 0, 1) * 255));
    }
    return Image.of((int) values.dim(2), (int) values.dim(1), 3, bytes);
  }

  /// In squares, also of odd sizes, an image is nearly what it is as a whole.
  @Test
  void tiles() {
    Path dir = TestData.shared("diffusion-random/esrgan");
    Image scene = Image.read(TestData.pretrained("tiny-sam/scene0.png")).rgb().resize(101, 75);
    try (var upscaler =
        Upscaler.load(
            dir.resolve("RealESRGAN_x2_random.pth"), Backend.NATIVE, 2, DType.Plain.F32)) {
      Image whole = upscaler.upscale(scene);
      Image tiled = upscaler.upscale(scene, 64);
      assertEquals(202, whole.width());
      assertEquals(150, tiled.height());
      double sum = 0;
      long size = whole.pixels().byteSize();
      for (long i = 0; i < size; i++) {
        sum +=
            Math.abs(
                Byte.toUnsignedInt(whole.pixels().get(ValueLayout.JAVA_BYTE, i))
                    - Byte.toUnsignedInt(tiled.pixels().get(ValueLayout.JAVA_BYTE, i)));
      }
      assertTrue(sum / size < 1, "mean difference " + sum / size);
      assertThrows(IllegalArgumentException.class, () -> upscaler.upscale(scene, 8));
    }
  }

  @Test
  void otherFiles() {
    Path other = TestData.pretrained("tiny-sd").resolve("unet");
    var e = assertThrows(CheckpointException.class, () -> Upscaler.load(other).close());
    assertTrue(e.getMessage().contains("conv_first.weight"), e.getMessage());
  }
}
