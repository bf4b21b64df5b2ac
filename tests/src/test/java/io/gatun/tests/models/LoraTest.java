package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.StableDiffusion;
import io.gatun.models.diffusion.lora.Lora;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Low-rank adaptations in the layouts that people trade, and what they change.
class LoraTest {
  private static final Path TINY = TestData.pretrained("tiny-sd");
  private static final int RANK = 3;
  private static final float ALPHA = 1.5f;
  private static final double SCALE = 0.7;

  private static final String BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0.";
  private static final String LAYER = "text_model.encoder.layers.1.";

  /// Linear layers, a 1x1 and a 3x3 convolution, and one of a block that is numbered otherwise in
  /// the layout of latent diffusion; with the shapes of their first matrices.
  private static final Map<String, long[]> UNET = new LinkedHashMap<>();

  private static final Map<String, long[]> TEXT = new LinkedHashMap<>();

  static {
    UNET.put(BLOCK + "attn1.to_q", new long[] {64, RANK, 64});
    UNET.put(BLOCK + "attn1.to_out.0", new long[] {64, RANK, 64});
    UNET.put(BLOCK + "attn2.to_k", new long[] {64, RANK, 64});
    UNET.put("down_blocks.0.attentions.0.proj_in", new long[] {64, RANK, 64, 1, 1});
    UNET.put("up_blocks.1.resnets.1.conv1", new long[] {64, RANK, 128, 3, 3});
    TEXT.put(LAYER + "self_attn.q_proj", new long[] {64, RANK, 64});
    TEXT.put(LAYER + "mlp.fc1", new long[] {256, RANK, 64});
  }

  @TempDir private Path folder;

  /// The two matrices of each module, first and second, with a random seed of their own.
  private static Tensor[] matrices(String module, long[] shape) {
    var random = new Random(module.hashCode());
    long[] down = new long[shape.length - 1];
    System.arraycopy(shape, 1, down, 0, down.length);
    long[] up = {shape[0], RANK};
    if (down.length == 4) {
      up = new long[] {shape[0], RANK, 1, 1};
    }
    return new Tensor[] {random(random, down), random(random, up)};
  }

  private static Tensor random(Random random, long... dims) {
    long size = 1;
    for (long dim : dims) {
      size *= dim;
    }
    var values = new float[(int) size];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian() * 0.2f;
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, dims);
  }

  /// A file in one of the layouts.
  private Path write(String layout) {
    var writer = new SafetensorsWriter();
    UNET.forEach((module, shape) -> add(writer, layout, "unet", module, shape));
    TEXT.forEach((module, shape) -> add(writer, layout, "text_encoder", module, shape));
    if (layout.equals("peft")) {
      String metadata =
          "{\"unet.lora_alpha\": %s, \"unet.r\": %d, \"text_encoder.lora_alpha\": %s}"
              .formatted(ALPHA, RANK, ALPHA);
      writer.metadata("lora_adapter_metadata", metadata);
    }
    Path file = folder.resolve(layout + ".safetensors");
    writer.write(file);
    return file;
  }

  private static void add(
      SafetensorsWriter writer, String layout, String part, String module, long[] shape) {
    var matrices = matrices(module, shape);
    String flat = module.replace('.', '_');
    String base =
        switch (layout) {
          case "kohya" -> (part.equals("unet") ? "lora_unet_" : "lora_te_") + flat;
          case "ldm" -> part.equals("unet") ? "lora_unet_" + ldm(module) : "lora_te1_" + flat;
          case "processors" ->
              part.equals("unet") && module.contains("attn")
                  ? "unet." + processor(module)
                  : part + "." + module;
          default -> part + "." + module;
        };
    String[] endings =
        switch (layout) {
          case "kohya", "ldm" -> new String[] {".lora_down.weight", ".lora_up.weight"};
          case "peft" -> new String[] {".lora_A.weight", ".lora_B.weight"};
          case "processors" ->
              base.endsWith("_lora")
                  ? new String[] {".down.weight", ".up.weight"}
                  : new String[] {".lora.down.weight", ".lora.up.weight"};
          default -> throw new IllegalArgumentException(layout);
        };
    writer.add(base + endings[0], matrices[0]).add(base + endings[1], matrices[1]);
    if (!layout.equals("peft")) {
      String alphaOf = base.endsWith("_lora") ? base.substring(0, base.length() - 5) : base;
      writer.add(alphaOf + ".alpha", Tensor.ofFloats(Arena.ofAuto(), new float[] {ALPHA}));
    }
  }

  /// As CompVis's code numbers the blocks of tiny-sd's UNet, which have one residual block each.
  private static String ldm(String module) {
    return module
        .replace("down_blocks.0.attentions.0.", "input_blocks.1.1.")
        .replace("up_blocks.1.resnets.1.conv1", "output_blocks.3.0.in_layers.2")
        .replace('.', '_');
  }

  private static String processor(String module) {
    String name = module.replace("to_out.0", "to_out");
    int dot = name.lastIndexOf('.');
    return name.substring(0, dot) + ".processor" + name.substring(dot) + "_lora";
  }

  /// tiny-sd with the sums in its files.
  private Path changedByHand(double scale) throws Exception {
    Path copy = folder.resolve("changed");
    StableDiffusionTest.copy(TINY, copy);
    change(copy.resolve("unet/diffusion_pytorch_model.safetensors"), UNET, scale);
    change(copy.resolve("text_encoder/model.safetensors"), TEXT, scale);
    return copy;
  }

  private static void change(Path file, Map<String, long[]> modules, double scale)
      throws Exception {
    Path before = file.resolveSibling("before.bin");
    Files.move(file, before);
    try (var checkpoint = Checkpoint.open(before)) {
      var writer = new SafetensorsWriter();
      checkpoint
          .tensors()
          .forEach(
              (name, tensor) -> {
                String module = name.replaceFirst("\\.weight$", "");
                writer.add(
                    name,
                    modules.containsKey(module) && name.endsWith(".weight")
                        ? changed(tensor, matrices(module, modules.get(module)), scale)
                        : tensor);
              });
      writer.write(file);
    }
    Files.delete(before);
  }

  /// `W + scale (alpha / rank) up down`, element by element.
  private static Tensor changed(Tensor weight, Tensor[] matrices, double scale) {
    float[] w = weight.toFloats();
    float[] down = matrices[0].toFloats();
    float[] up = matrices[1].toFloats();
    int columns = down.length / RANK;
    for (int i = 0; i < w.length; i++) {
      double sum = 0;
      for (int r = 0; r < RANK; r++) {
        sum += (double) up[i / columns * RANK + r] * down[r * columns + i % columns];
      }
      w[i] += (float) (scale * ALPHA / RANK * sum);
    }
    return Tensor.ofFloats(Arena.ofAuto(), w, weight.shape().dims());
  }

  @ParameterizedTest
  @CsvSource({"kohya", "ldm", "peft", "processors"})
  void changesWeightsAsIfByHand(String layout) throws Exception {
    var notices = new ArrayList<String>();
    float[] plain = latents(TINY, null, notices);
    float[] expected = latents(changedByHand(SCALE), null, notices);
    float[] found = latents(TINY, write(layout), notices);
    assertEquals(List.of(), notices);
    double change = 0;
    for (int i = 0; i < expected.length; i++) {
      change = Math.max(change, Math.abs(plain[i] - expected[i]));
    }
    assertTrue(change > 0.1, "the adaptation changes " + change);
    assertArrayEquals(expected, found, 1e-4f);
  }

  private static float[] latents(Path model, Path lora, List<String> notices) {
    var last = new ArrayList<float[]>();
    try (var sd =
        StableDiffusion.load(
            model,
            o -> {
              o.dtype(DType.Plain.F32).notices(notices::add);
              if (lora != null) {
                o.lora(lora, SCALE);
              }
            })) {
      var made =
          sd.imagine(
              "a red circle", o -> o.steps(3).seed(1).onStep(step -> last.add(step.latents())));
      assertEquals(
          lora == null ? null : lora.getFileName() + ":0.7",
          made.parameters().getFirst().settings().get("Lora 1"));
    }
    return last.getLast();
  }

  /// What fits in part is used, and the user told of the rest.
  @Test
  void unknownEntriesAreListed() {
    var writer = new SafetensorsWriter();
    add(writer, "kohya", "unet", BLOCK + "attn1.to_q", UNET.get(BLOCK + "attn1.to_q"));
    add(writer, "kohya", "unet", "mid_block.nowhere", new long[] {64, RANK, 64});
    writer.add("odd.tensor", random(new Random(1), 2));
    Path file = folder.resolve("part.safetensors");
    writer.write(file);
    var notices = new ArrayList<String>();
    latents(TINY, file, notices);
    assertEquals(1, notices.size());
    String notice = notices.getFirst();
    assertTrue(
        notice.contains(
            "2 of its entries have no place in this model and are left out, 1 are applied"),
        notice);
    assertTrue(notice.contains("lora_unet_mid_block_nowhere, odd.tensor"), notice);
  }

  @Test
  void whatFitsNothingIsRefused() {
    var writer = new SafetensorsWriter();
    add(writer, "kohya", "unet", "mid_block.nowhere", new long[] {64, RANK, 64});
    refused(writer, "fits nothing in this model: it adapts 1 modules");

    writer = new SafetensorsWriter();
    add(writer, "kohya", "unet", BLOCK + "attn1.to_q", new long[] {32, RANK, 64});
    refused(writer, "the model's weight is (64, 64). It was made for another model");

    writer = new SafetensorsWriter().add("a.weight", random(new Random(1), 2, 2));
    refused(writer, "no adaptations");

    writer = new SafetensorsWriter();
    writer.add("lora_unet_x.lora_down.weight", random(new Random(1), 2, 4));
    writer.add("lora_unet_x.lora_up.weight", random(new Random(1), 4, 3));
    refused(writer, "of the same rank");

    writer = new SafetensorsWriter();
    writer.add("lora_unet_x.lora_down.weight", random(new Random(1), 2, 4));
    refused(writer, "lora_up");

    assertThrows(
        CheckpointException.class, () -> Lora.open(folder.resolve("nonesuch.safetensors"), 1));
  }

  private void refused(SafetensorsWriter writer, String message) {
    Path file = folder.resolve("wrong.safetensors");
    writer.write(file);
    var refused =
        assertThrows(
            CheckpointException.class,
            () -> StableDiffusion.load(TINY, o -> o.lora(file, 1)).close());
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
    assertTrue(refused.getMessage().contains("wrong.safetensors"), refused.getMessage());
  }
}
