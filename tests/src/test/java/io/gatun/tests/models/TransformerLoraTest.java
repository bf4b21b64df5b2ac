package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.StableDiffusion;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Low-rank adaptations of diffusion transformers, of all their linear layers, in the layouts that
/// people trade, against networks whose files were changed by hand.
class TransformerLoraTest {
  private static final int RANK = 2;
  private static final float ALPHA = 3;
  private static final double SCALE = 0.7;
  private static final String WEIGHT = ".weight";

  @TempDir private Path folder;

  /// Layouts by diffusers' names: `peft`, `onetrainer`, `lycoris`; by the makers': `kohya`,
  /// `comfyui`.
  @ParameterizedTest
  @CsvSource({
    "sd35, peft",
    "sd35, onetrainer",
    "sd35, lycoris",
    "sd35, kohya",
    "sd35, comfyui",
    "flux_dev, peft",
    "flux_dev, kohya",
    "flux_dev, comfyui",
    "flux2_klein, peft",
    "flux2_klein, comfyui",
    "z_image, peft",
    "z_image, kohya",
    "z_image, comfyui",
    "pixart_sigma, peft",
    "pixart_alpha, comfyui"
  })
  void changesWeightsAsIfByHand(String model, String layout) throws IOException {
    Path dir = TestData.shared("diffusion-random/" + model);
    String className =
        new ObjectMapper()
            .readTree(dir.resolve("transformer/config.json").toFile())
            .path("_class_name")
            .asText();
    Path changed = folder.resolve("changed");
    Path lora = folder.resolve("lora.safetensors");
    int modules;
    try (var checkpoint = Checkpoint.open(dir.resolve("transformer"))) {
      var own = new TreeMap<>(checkpoint.tensors());
      var original = OriginalLayout.of(className, own);
      boolean byMakers = layout.equals("kohya") || layout.equals("comfyui");
      var adapted = adapt(byMakers ? original.original() : own, layout, lora);
      modules = (int) adapted.keySet().stream().filter(n -> isAdapted(n, adapted)).count();
      write(byMakers ? original.diffusers(adapted) : adapted, changed.resolve("transformer"));
    }
    assertSame(dir, changed, lora, modules);
  }

  /// XLabs' files adapt FLUX.1's attention, queries, keys and values together, of single blocks
  /// too, where they are only a part of the makers' matrix.
  @Test
  void xlabs() throws IOException {
    Path dir = TestData.shared("diffusion-random/flux_dev");
    Path changed = folder.resolve("changed");
    Path lora = folder.resolve("lora.safetensors");
    var random = new Random(1);
    var writer = new SafetensorsWriter();
    int modules = 0;
    try (var checkpoint = Checkpoint.open(dir.resolve("transformer"))) {
      var tensors = new LinkedHashMap<>(checkpoint.tensors());
      for (String[] row : XLABS) {
        for (int block = 0; tensors.containsKey(row[1].formatted(block) + WEIGHT); block++) {
          modules++;
          var parts = Arrays.stream(row).skip(1).toList();
          Tensor first = tensors.get(parts.getFirst().formatted(block) + WEIGHT);
          int rows = (int) first.dim(0);
          int columns = (int) first.dim(1);
          float[] down = numbers(random, RANK * columns);
          float[] up = numbers(random, parts.size() * rows * RANK);
          String base = row[0].formatted(block);
          writer
              .add(base + ".down.weight", Tensor.ofFloats(Arena.ofAuto(), down, RANK, columns))
              .add(
                  base + ".up.weight",
                  Tensor.ofFloats(Arena.ofAuto(), up, (long) parts.size() * rows, RANK));
          for (int part = 0; part < parts.size(); part++) {
            String name = parts.get(part).formatted(block) + WEIGHT;
            float[] w = tensors.get(name).toFloats();
            for (int i = 0; i < w.length; i++) {
              for (int r = 0; r < RANK; r++) {
                int row2 = part * rows + i / columns;
                w[i] += (float) SCALE * up[row2 * RANK + r] * down[r * columns + i % columns];
              }
            }
            tensors.put(name, Tensor.ofFloats(Arena.ofAuto(), w, rows, columns));
          }
        }
      }
      writer.write(lora);
      write(tensors, changed.resolve("transformer"));
    }
    assertSame(dir, changed, lora, modules);
  }

  /// The file's names, and which of diffusers' they are for.
  private static final String[][] XLABS = {
    {
      "double_blocks.%d.processor.qkv_lora1",
      "transformer_blocks.%d.attn.to_q",
      "transformer_blocks.%d.attn.to_k",
      "transformer_blocks.%d.attn.to_v"
    },
    {
      "double_blocks.%d.processor.qkv_lora2",
      "transformer_blocks.%d.attn.add_q_proj",
      "transformer_blocks.%d.attn.add_k_proj",
      "transformer_blocks.%d.attn.add_v_proj"
    },
    {"double_blocks.%d.processor.proj_lora1", "transformer_blocks.%d.attn.to_out.0"},
    {"double_blocks.%d.processor.proj_lora2", "transformer_blocks.%d.attn.to_add_out"},
    {
      "single_blocks.%d.processor.qkv_lora",
      "single_transformer_blocks.%d.attn.to_q",
      "single_transformer_blocks.%d.attn.to_k",
      "single_transformer_blocks.%d.attn.to_v"
    },
    {"single_blocks.%d.processor.proj_lora", "single_transformer_blocks.%d.proj_out"},
  };

  /// Checks that a model with an adaptation is the changed one, whose other parts are the model's.
  private static void assertSame(Path dir, Path changed, Path lora, int modules)
      throws IOException {
    Files.copy(dir.resolve("transformer/config.json"), changed.resolve("transformer/config.json"));
    try (var files = Files.newDirectoryStream(dir)) {
      for (Path file : files) {
        Path link = changed.resolve(file.getFileName());
        if (!Files.exists(link)) {
          Files.createSymbolicLink(link, file.toAbsolutePath());
        }
      }
    }
    float[] plain = latents(dir, null, 0);
    float[] expected = latents(changed, null, 0);
    float[] found = latents(dir, lora, modules);
    double change = 0;
    for (int i = 0; i < expected.length; i++) {
      change = Math.max(change, Math.abs(plain[i] - expected[i]));
    }
    assertTrue(change > 0.01, "the adaptation changes " + change);
    var values = Tensor.ofFloats(Arena.ofAuto(), expected, expected.length);
    Goldens.assertClose("latents", values, found, 1e-4);
  }

  private static boolean isAdapted(String name, Map<String, Tensor> tensors) {
    return name.endsWith(WEIGHT) && tensors.get(name).shape().rank() == 2;
  }

  /// Writes an adaptation of all matrices, and gives the tensors with it: `W + scale (alpha / rank)
  /// up down`.
  private static Map<String, Tensor> adapt(Map<String, Tensor> tensors, String layout, Path file) {
    var random = new Random(1);
    var writer = new SafetensorsWriter();
    var out = new LinkedHashMap<String, Tensor>();
    tensors.forEach(
        (name, tensor) -> {
          if (!isAdapted(name, tensors)) {
            out.put(name, tensor);
            return;
          }
          int rows = (int) tensor.dim(0);
          int columns = (int) tensor.dim(1);
          float[] up = numbers(random, rows * RANK);
          float[] down = numbers(random, RANK * columns);
          String module = name.substring(0, name.length() - WEIGHT.length());
          boolean peft = layout.equals("peft") || layout.equals("comfyui");
          String base = named(module, layout);
          writer
              .add(
                  base + (peft ? ".lora_A" : ".lora_down") + WEIGHT,
                  Tensor.ofFloats(Arena.ofAuto(), down, RANK, columns))
              .add(
                  base + (peft ? ".lora_B" : ".lora_up") + WEIGHT,
                  Tensor.ofFloats(Arena.ofAuto(), up, rows, RANK))
              .add(base + ".alpha", Tensor.ofFloats(Arena.ofAuto(), new float[] {ALPHA}));
          float[] w = tensor.toFloats();
          for (int i = 0; i < w.length; i++) {
            double sum = 0;
            for (int r = 0; r < RANK; r++) {
              sum += (double) up[i / columns * RANK + r] * down[r * columns + i % columns];
            }
            w[i] += (float) (SCALE * ALPHA / RANK * sum);
          }
          out.put(name, Tensor.ofFloats(Arena.ofAuto(), w, rows, columns));
        });
    writer.write(file);
    return out;
  }

  private static String named(String module, String layout) {
    return switch (layout) {
      case "peft" -> "transformer." + module;
      case "onetrainer" -> "lora_transformer_" + module.replace('.', '_');
      case "lycoris" -> "lycoris_" + module.replace('.', '_');
      case "kohya" -> "lora_unet_" + module.replace('.', '_');
      case "comfyui" -> "diffusion_model." + module;
      default -> throw new IllegalArgumentException(layout);
    };
  }

  private static float[] numbers(Random random, int count) {
    var values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian() * 0.1f;
    }
    return values;
  }

  private static void write(Map<String, Tensor> tensors, Path folder) throws IOException {
    Files.createDirectories(folder);
    var writer = new SafetensorsWriter();
    tensors.forEach(writer::add);
    writer.write(folder.resolve("diffusion_pytorch_model.safetensors"));
  }

  private static float[] latents(Path model, Path lora, int modules) {
    var last = new ArrayList<float[]>();
    var notices = new ArrayList<String>();
    try (var sd =
        StableDiffusion.load(
            model,
            o -> {
              o.dtype(DType.Plain.F32).notices(notices::add);
              if (lora != null) {
                o.lora(lora, SCALE);
              }
            })) {
      sd.imagine(
          "a red circle",
          o ->
              o.steps(1)
                  .seed(1)
                  .size(64, 64)
                  .textTokens(48)
                  .onStep(step -> last.add(step.latents())));
      for (var applied : sd.loras()) {
        assertEquals(modules, applied.applied().size());
        assertEquals(List.of(), applied.leftOut());
      }
    }
    assertEquals(List.of(), notices);
    return last.getLast();
  }
}
