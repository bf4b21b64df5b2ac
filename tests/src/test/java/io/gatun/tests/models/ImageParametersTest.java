package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.models.diffusion.ImageParameters;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The text that says what an image was made with.
class ImageParametersTest {
  private static final Map<String, String> SETTINGS =
      settings("Steps", "20", "Sampler", "Euler a", "CFG scale", "7", "Size", "512x512");

  @Test
  void writesWhatOthersRead() {
    var parameters =
        new ImageParameters(
            "a cat\non a mat",
            "a dog, blurry",
            settings("Steps", "20", "Lora hashes", "a: 1, b: 2", "Model", "x\"y"));
    assertEquals(
        """
        a cat
        on a mat
        Negative prompt: a dog, blurry
        Steps: 20, Lora hashes: "a: 1, b: 2", Model: "x\\"y"
        """,
        parameters.format() + "\n");
  }

  /// As the web UI writes it.
  @Test
  void readsWhatOthersWrite() {
    var parameters =
        ImageParameters.parse(
            """
            masterpiece, (cat:1.2), sitting: yes
            second line
            Negative prompt: bad, (worse:1.3)
            more of it
            Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 965400086, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned, Denoising strength: 0.7, Lora hashes: "one: abc, two: \\"def\\"", Version: v1.6.0
            """);
    assertEquals("masterpiece, (cat:1.2), sitting: yes\nsecond line", parameters.prompt());
    assertEquals("bad, (worse:1.3)\nmore of it", parameters.negativePrompt());
    assertEquals(
        settings(
            "Steps", "28",
            "Sampler", "DPM++ 2M Karras",
            "CFG scale", "7.5",
            "Seed", "965400086",
            "Size", "512x768",
            "Model hash", "6ce0161689",
            "Model", "v1-5-pruned",
            "Denoising strength", "0.7",
            "Lora hashes", "one: abc, two: \"def\"",
            "Version", "v1.6.0"),
        parameters.settings());
    assertEquals(
        List.of("Steps", "Sampler"), List.copyOf(parameters.settings().keySet()).subList(0, 2));
  }

  @Test
  void anyTextIsAPrompt() {
    assertEquals(new ImageParameters("", "", Map.of()), ImageParameters.parse(" \n"));
    assertEquals(
        new ImageParameters("just words", "", Map.of()), ImageParameters.parse("just words"));
    var time = ImageParameters.parse("at noon: 12, at night: 24");
    assertEquals("at noon: 12, at night: 24", time.prompt());
    assertEquals("not this", ImageParameters.parse("Negative prompt: not this").negativePrompt());
  }

  @Test
  void readsWhatItWrites() {
    var random = new Random(4);
    String alphabet = "ab c,:\"\\\n{}é雨'()-";
    for (int round = 0; round < 500; round++) {
      var settings = new LinkedHashMap<>(SETTINGS);
      for (int i = 0; i < 3; i++) {
        settings.put("key " + i, "v" + word(random, alphabet));
      }
      String prompt = ("p" + word(random, alphabet)).replaceAll("\\s*\n\\s*", "\n") + "e";
      String negative = round % 2 == 0 ? "" : "n" + word(random, "ab, (:)") + "e";
      var parameters = new ImageParameters(prompt, negative, settings);
      assertEquals(parameters, ImageParameters.parse(parameters.format()), parameters.format());
    }
  }

  private static String word(Random random, String alphabet) {
    var out = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      out.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return out.append('.').toString();
  }

  private static Map<String, String> settings(String... keysAndValues) {
    var settings = new LinkedHashMap<String, String>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      settings.put(keysAndValues[i], keysAndValues[i + 1]);
    }
    return settings;
  }
}
