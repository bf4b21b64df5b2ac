package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.diffusion.lora.LoraSet;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Each kind of adaptation against its definition, summed number by number, for a matrix and for a
/// convolution.
class LoraKindsTest {
  private static final int N = 6;
  private static final int INPUTS = 4;
  private static final int R = 2;
  private static final float ALPHA = 3;
  private static final double STRENGTH = 0.6;
  private static final String MODULE = "mid_block.resnets.0.conv1";

  @TempDir private Path folder;

  private final Map<String, Tensor> file = new LinkedHashMap<>();
  private final Random random = new Random(1);

  /// A tensor of the file with random numbers.
  private float[] put(String ending, long... dims) {
    var values = new float[(int) Arrays.stream(dims).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    file.put("unet." + MODULE + ending, Tensor.ofFloats(Arena.ofAuto(), values, dims));
    return values;
  }

  private void alpha() {
    file.put("unet." + MODULE + ".alpha", Tensor.ofFloats(Arena.ofAuto(), new float[] {ALPHA}));
  }

  /// `M[n, i, k] = sum over a, b of up[n, a] core[a, b, k] down[b, i]`, or without a core `sum over
  /// a of up[n, a] down[a, i k]`.
  ///
  /// @param upAcross whether `up` is (R, N)
  private static double product(
      float[] up, boolean upAcross, float[] core, float[] down, int kernel, int n, int i, int k) {
    int rows = up.length / R;
    double sum = 0;
    for (int a = 0; a < R; a++) {
      double left = upAcross ? up[a * rows + n] : up[n * R + a];
      if (core == null) {
        sum += left * down[a * (down.length / R) + i * kernel + k];
        continue;
      }
      for (int b = 0; b < R; b++) {
        sum += left * core[(a * R + b) * kernel + k] * down[b * (down.length / R) + i];
      }
    }
    return sum;
  }

  private interface Element {
    double at(int n, int i, int k);
  }

  /// The matrix that the kind adds, by its definition; its tensors go into the file.
  private Element matrix(String kind, int kernel, long side) {
    double factor = ALPHA / R;
    switch (kind) {
      case "lora", "dora", "dora inputs" -> {
        alpha();
        float[] up = put(".lora_up.weight", N, R);
        float[] down = put(".lora_down.weight", R, INPUTS, side, side);
        return (n, i, k) -> factor * product(up, false, null, down, kernel, n, i, k);
      }
      case "peft dora" -> {
        float[] up = put(".lora_B.weight", N, R, 1, 1);
        float[] down = put(".lora_A.weight", R, INPUTS, side, side);
        return (n, i, k) -> product(up, false, null, down, kernel, n, i, k);
      }
      case "locon tucker" -> {
        alpha();
        float[] up = put(".lora_up.weight", N, R, 1, 1);
        float[] core = put(".lora_mid.weight", R, R, side, side);
        float[] down = put(".lora_down.weight", R, INPUTS, 1, 1);
        return (n, i, k) -> factor * product(up, false, core, down, kernel, n, i, k);
      }
      case "loha" -> {
        alpha();
        float[] a = put(".hada_w1_a", N, R);
        float[] b = put(".hada_w1_b", R, (long) INPUTS * kernel);
        float[] c = put(".hada_w2_a", N, R);
        float[] d = put(".hada_w2_b", R, (long) INPUTS * kernel);
        return (n, i, k) ->
            factor
                * product(a, false, null, b, kernel, n, i, k)
                * product(c, false, null, d, kernel, n, i, k);
      }
      case "loha tucker" -> {
        alpha();
        float[] t1 = put(".hada_t1", R, R, side, side);
        float[] a = put(".hada_w1_a", R, N);
        float[] b = put(".hada_w1_b", R, INPUTS);
        float[] t2 = put(".hada_t2", R, R, side, side);
        float[] c = put(".hada_w2_a", R, N);
        float[] d = put(".hada_w2_b", R, INPUTS);
        return (n, i, k) ->
            factor
                * product(a, true, t1, b, kernel, n, i, k)
                * product(c, true, t2, d, kernel, n, i, k);
      }
      case "lokr" -> { // (3, 2) by (2, 2)
        alpha();
        float[] one = put(".lokr_w1", 3, 2);
        float[] a = put(".lokr_w2_a", 2, R);
        float[] b = put(".lokr_w2_b", R, 2L * kernel);
        return (n, i, k) ->
            factor * one[n / 2 * 2 + i / 2] * product(a, false, null, b, kernel, n % 2, i % 2, k);
      }
      case "lokr low" -> { // both of low rank: (2, 2) by (3, 2)
        alpha();
        float[] a = put(".lokr_w1_a", 2, R);
        float[] b = put(".lokr_w1_b", R, 2);
        float[] c = put(".lokr_w2_a", 3, R);
        float[] d = put(".lokr_w2_b", R, 2L * kernel);
        return (n, i, k) ->
            factor
                * product(a, false, null, b, 1, n / 3, i / 2, 0)
                * product(c, false, null, d, kernel, n % 3, i % 2, k);
      }
      case "lokr tucker" -> {
        alpha();
        float[] one = put(".lokr_w1", 3, 2);
        float[] core = put(".lokr_t2", R, R, side, side);
        float[] a = put(".lokr_w2_a", R, 2);
        float[] b = put(".lokr_w2_b", R, 2);
        return (n, i, k) ->
            factor * one[n / 2 * 2 + i / 2] * product(a, true, core, b, kernel, n % 2, i % 2, k);
      }
      case "lokr whole" -> { // whose alpha means nothing
        alpha();
        float[] one = put(".lokr_w1", 3, 2);
        float[] two = put(".lokr_w2", 2, 2, side, side);
        return (n, i, k) -> one[n / 2 * 2 + i / 2] * two[(n % 2 * 2 + i % 2) * kernel + k];
      }
      case "diff" -> {
        float[] all = put(".diff", N, INPUTS, side, side);
        return (n, i, k) -> all[(n * INPUTS + i) * kernel + k];
      }
      default -> throw new IllegalArgumentException(kind);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "lora",
        "dora",
        "dora inputs",
        "peft dora",
        "locon tucker",
        "loha",
        "loha tucker",
        "lokr",
        "lokr low",
        "lokr tucker",
        "lokr whole",
        "diff"
      })
  void isAsDefined(String kind) {
    for (int side : new int[] {1, 3}) {
      file.clear();
      int kernel = side * side;
      var matrix = matrix(kind, kernel, side);
      float[] weight = numbers(N * INPUTS * kernel);
      var expected = new double[weight.length];
      for (int at = 0; at < weight.length; at++) {
        expected[at] = matrix.at(at / (INPUTS * kernel), at / kernel % INPUTS, at % kernel);
      }
      if (kind.contains("dora")) {
        boolean byInput = kind.endsWith("inputs");
        decompose(weight, expected, kernel, byInput, kind.startsWith("peft"));
      } else {
        for (int at = 0; at < weight.length; at++) {
          expected[at] = weight[at] + STRENGTH * expected[at];
        }
      }
      float[] found = merged(Tensor.ofFloats(Arena.ofAuto(), weight, N, INPUTS, side, side));
      for (int at = 0; at < weight.length; at++) {
        assertEquals(expected[at], found[at], 1e-4 * Math.max(1, Math.abs(expected[at])), kind);
      }
    }
  }

  /// `W + strength (m (W + M) / |W + M| - W)`, the lengths being those of rows or of inputs.
  private void decompose(
      float[] weight, double[] changes, int kernel, boolean byInput, boolean peft) {
    int groups = byInput ? INPUTS : N;
    float[] magnitude =
        peft
            ? put(".lora_magnitude_vector", N)
            : byInput ? put(".dora_scale", 1, INPUTS, 1, 1) : put(".dora_scale", N, 1);
    for (int group = 0; group < groups; group++) {
      double squares = 0;
      for (int at = 0; at < weight.length; at++) {
        if ((byInput ? at / kernel % INPUTS : at / (INPUTS * kernel)) == group) {
          squares += Math.pow(weight[at] + changes[at], 2);
        }
      }
      for (int at = 0; at < weight.length; at++) {
        if ((byInput ? at / kernel % INPUTS : at / (INPUTS * kernel)) == group) {
          double trained = magnitude[group] * (weight[at] + changes[at]) / Math.sqrt(squares);
          changes[at] = weight[at] + STRENGTH * (trained - weight[at]);
        }
      }
    }
  }

  private float[] numbers(int count) {
    var values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private float[] merged(Tensor weight) {
    Path path = folder.resolve("kind.safetensors");
    var writer = new SafetensorsWriter();
    file.forEach(writer::add);
    writer.write(path);
    var config = JsonKeys.read(TestData.pretrained("tiny-sd/unet/config.json"));
    try (var set = LoraSet.open(Map.of(path, STRENGTH));
        var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      float[] out = set.merge("unet", config, f).merge(MODULE + ".weight", weight).toFloats();
      var applied = set.applied().getFirst();
      assertEquals(List.of("unet." + MODULE), applied.applied());
      assertEquals(List.of(), applied.leftOut());
      return out;
    }
  }

  @Test
  void whatIsDamagedOrOtherIsRefused() {
    Tensor weight = Tensor.ofFloats(Arena.ofAuto(), numbers(N * INPUTS), N, INPUTS);
    put(".hada_w1_a", N, R);
    put(".hada_w1_b", R, INPUTS);
    put(".hada_w2_a", N, R);
    refused(weight, "lacks a tensor such as \"unet." + MODULE + ".hada_w2_b\"");
    put(".hada_w2_b", R, INPUTS + 1);
    refused(weight, "need them of one size");
    file.clear();
    put(".lokr_w1", 3, 2);
    put(".lokr_w2", 2, 3);
    refused(weight, "is for (6, 6); the model's weight is (6, 4)");
    file.clear();
    put(".lokr_w1_b", R, 2);
    refused(weight, ".lokr_w1_a");
    file.clear();
    put(".lora_up.weight", N, R);
    put(".lora_down.weight", R + 1, INPUTS);
    refused(weight, "of the same rank");
    file.clear();
    put(".dora_scale", N, 1);
    refused(weight, "lacks a tensor");
    file.clear();
    put(".lora_up.weight", N, R);
    put(".lora_down.weight", R, INPUTS);
    put(".dora_scale", N + 1, 1);
    refused(weight, "made for another model");
    for (String other :
        List.of(".oft_blocks", ".diff_b", ".w_norm", ".a1.weight", ".lora_B.bias")) {
      file.clear();
      put(other, R, R);
      refused(weight, "and half of an adaptation would be wrong");
    }
  }

  private void refused(Tensor weight, String message) {
    var refused = assertThrows(CheckpointException.class, () -> merged(weight));
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
  }
}
