package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.ImageSettings;
import io.gatun.models.ImagineOptions;
import io.gatun.models.SourceFile;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.tensor.DType;
import io.gatun.tests.ResidentFiles;
import io.gatun.tests.TestData;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// What asks the network less often changes images by less than is said of it, with tiny-sd.
class StepSavingTest {
  private static final List<String> PROMPTS =
      List.of(
          "a red circle on a blue background",
          "a yellow star on a purple background",
          "a green ring on a black background");

  private static StableDiffusion load(boolean keep) {
    return StableDiffusion.load(
        TestData.pretrained("tiny-sd"), o -> o.dtype(DType.Plain.F32).keepWeights(keep));
  }

  private static Image image(StableDiffusion sd, String prompt, Consumer<ImagineOptions> how) {
    Consumer<ImagineOptions> common = o -> o.steps(20).seed(7);
    return sd.imagine(prompt, common.andThen(how)).image();
  }

  /// The signal to noise ratio in decibels, of all prompts together.
  private static double psnr(StableDiffusion sd, Consumer<ImagineOptions> how) {
    double squares = 0;
    long size = 0;
    for (String prompt : PROMPTS) {
      var a = image(sd, prompt, o -> {}).pixels();
      var b = image(sd, prompt, how).pixels();
      for (long i = 0; i < a.byteSize(); i++) {
        double d = a.get(ValueLayout.JAVA_BYTE, i) & 255;
        d -= b.get(ValueLayout.JAVA_BYTE, i) & 255;
        squares += d * d;
      }
      size += a.byteSize();
    }
    return squares == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(255 * 255 * size / squares);
  }

  /// At least as near as the help says, and not the same.
  @Test
  void near() {
    try (var sd = load(true)) {
      near(30, 31, sd, o -> o.guidanceInterval(0, 0.8));
      near(24.5, 26, sd, o -> o.guidanceInterval(0, 0.5));
      near(55, 60, sd, o -> o.cache(0.1));
      near(42, 46, sd, o -> o.cache(0.2));
      near(39.5, 42, sd, o -> o.cache(0.3));
    }
  }

  private static void near(
      double least, double most, StableDiffusion sd, Consumer<ImagineOptions> how) {
    double found = psnr(sd, how);
    assertTrue(found >= least && found <= most, "%.1f dB".formatted(found));
  }

  /// Kept weights and states of prompts change nothing, nor does an interval of all steps.
  @Test
  void same() {
    try (var kept = load(true);
        var released = load(false)) {
      byte[] first = bytes(image(kept, PROMPTS.getFirst(), o -> o.steps(3)));
      assertArrayEquals(first, bytes(image(kept, PROMPTS.getFirst(), o -> o.steps(3))));
      assertArrayEquals(first, bytes(image(released, PROMPTS.getFirst(), o -> o.steps(3))));
      assertArrayEquals(
          first,
          bytes(image(kept, PROMPTS.getFirst(), o -> o.steps(3).guidanceInterval(0, 1).cache(0))));
    }
  }

  /// A second image, also of another prompt, packs no weights: not the network's, not the
  /// autoencoder's.
  @Test
  void packedOnce() {
    try (var sd = StableDiffusion.load(TestData.pretrained("tiny-sd"))) {
      image(sd, PROMPTS.getFirst(), o -> o.steps(2));
      long packed = sd.ops().weightsPacked();
      assertTrue(packed > 50, packed + " weights");
      image(sd, PROMPTS.getLast(), o -> o.steps(2));
      assertEquals(packed, sd.ops().weightsPacked());
    }
  }

  /// Nor does the larger one of two that are made together, if nothing is kept after them.
  @Test
  void packedOnceForLargerImage() {
    try (var plain = load(false);
        var enlarged = load(false)) {
      image(plain, PROMPTS.getFirst(), o -> o.steps(2));
      image(enlarged, PROMPTS.getFirst(), o -> o.steps(2).hires(1.5));
      // What encodes the first image is packed besides.
      long once = plain.ops().weightsPacked();
      long found = enlarged.ops().weightsPacked();
      assertTrue(found < 2 * once, "%d, without the larger image %d".formatted(found, once));
    }
  }

  /// The text encoder's weights are out of the process's memory when the network runs.
  @Test
  @EnabledOnOs(OS.LINUX)
  void textEncoderIsUnloaded() {
    var resident = new ArrayList<Long>();
    try (var sd = load(true)) {
      image(
          sd,
          PROMPTS.getFirst(),
          o -> o.steps(1).onStep(_ -> resident.add(ResidentFiles.bytes("tiny-sd/text_encoder/"))));
    }
    assertEquals(List.of(0L), resident);
  }

  /// A larger image of a smaller one is the same as made by hand in two calls, and its parameters
  /// make it again.
  @Test
  void hires() {
    try (var sd = load(true)) {
      var made = sd.imagine(PROMPTS.getFirst(), o -> o.steps(6).seed(7).batch(2).hires(1.6));
      assertEquals(6 + 2 * 3, made.stepSeconds().length);
      for (int i = 0; i < 2; i++) {
        int image = i;
        var small = sd.imagine(PROMPTS.getFirst(), o -> o.steps(6).seed(7 + image)).image();
        var large =
            sd.imagine(
                PROMPTS.getFirst(),
                o -> o.steps(6).seed(7 + image).initImage(small).strength(0.5).size(104, 104));
        assertArrayEquals(bytes(large.image()), bytes(made.images().get(i)));
      }
      var written = made.parameters().getFirst();
      assertEquals("1.6", written.settings().get("Hires upscale"));
      assertEquals(
          List.of(),
          ImageSettings.files(written).stream()
              .filter(f -> f.kind() == SourceFile.Kind.INIT_IMAGE)
              .toList());
      var again = sd.imagine(written.prompt(), o -> ImageSettings.read(written, o)).image();
      assertArrayEquals(bytes(made.image()), bytes(again));
      var picture = made.image();
      assertThrows(
          IllegalArgumentException.class,
          () -> sd.imagine("x", o -> o.hires(2).initImage(picture)));
      assertThrows(IllegalArgumentException.class, () -> sd.imagine("x", o -> o.hires(0.5)));
    }
  }

  private static byte[] bytes(Image image) {
    return image.pixels().toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void refusals() {
    try (var sd = load(false)) {
      assertThrows(
          IllegalArgumentException.class, () -> sd.imagine("x", o -> o.guidanceInterval(0.5, 0.5)));
      assertThrows(IllegalArgumentException.class, () -> sd.imagine("x", o -> o.cache(2)));
    }
  }
}
