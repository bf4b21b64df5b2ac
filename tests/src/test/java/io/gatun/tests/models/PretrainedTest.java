package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.Llm;
import io.gatun.models.NamedModels;
import io.gatun.models.StableDiffusion;
import io.gatun.models.sam.Sam;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// The models that come with Gatun go by their names.
class PretrainedTest {
  private String home;

  @BeforeEach
  void asTheLauncherDoes() {
    home = System.getProperty("gatun.home");
    System.setProperty("gatun.home", TestData.ROOT.toString());
  }

  @AfterEach
  void asItWas() {
    if (home == null) {
      System.clearProperty("gatun.home");
    } else {
      System.setProperty("gatun.home", home);
    }
  }

  @Test
  void eachLoadsByItsName() {
    try (var llm = Llm.load("tiny-llm");
        var sam = Sam.load("tiny-sam");
        var sd = StableDiffusion.load("tiny-sd")) {
      assertTrue(llm.toString().contains("tiny-llm"), llm.toString());
      assertTrue(sam.toString().contains("tiny-sam"), sam.toString());
      assertTrue(sd.toString().contains("tiny-sd"), sd.toString());
    }
  }

  @Test
  void whatLiesAtThePathComesFirst(@TempDir Path folder) throws Exception {
    Path own = Files.createDirectory(folder.resolve("tiny-llm"));
    assertEquals(own, NamedModels.find(own));
    assertEquals(TestData.pretrained("tiny-llm"), NamedModels.find(Path.of("tiny-llm")));
  }

  @Test
  void aMissingPathSaysWhichNamesThereAre() {
    for (Executable load :
        new Executable[] {
          () -> Llm.load("tiny-lm"),
          () -> Sam.load("./tiny-sam"),
          () -> StableDiffusion.load("./models/tiny-sd")
        }) {
      String message = assertThrows(CheckpointException.class, load).getMessage();
      assertTrue(message.contains("there is no such file or directory"), message);
      assertTrue(message.contains("tiny-llm, tiny-sam, tiny-sd"), message);
    }
  }

  /// Who has the jars alone has not these models.
  @Test
  void withoutTheSourcesTheErrorSaysSo() {
    System.clearProperty("gatun.home");
    String message =
        assertThrows(CheckpointException.class, () -> Llm.load("tiny-llm")).getMessage();
    assertTrue(message.contains("comes with Gatun's sources, not with its jars"), message);
    assertTrue(message.contains("-Dgatun.home"), message);
  }
}
