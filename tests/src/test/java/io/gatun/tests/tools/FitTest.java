package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.DoesNotFitException;
import io.gatun.models.Fit;
import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.runtime.FreeMemory;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What fits into memory, and what is refused.
class FitTest {
  private static final String MEMORY = "gatun.memory";

  private static Result within(long bytes, String... args) {
    System.setProperty(MEMORY, String.valueOf(bytes));
    try {
      return InProcess.gatun(args);
    } finally {
      System.clearProperty(MEMORY);
    }
  }

  @Test
  void inspectSaysWhatAModelNeeds() throws IOException {
    var fits = within(1L << 30, "inspect", "--fit", "--json", "tiny-llm").json();
    assertTrue(fits.get("fits").asBoolean());
    long weights = Files.size(TestData.pretrained("tiny-llm/model.safetensors"));
    assertEquals(weights, fits.get("weight_bytes").asLong(), 0.02 * weights);
    assertEquals(
        fits.get("needed_bytes").asLong(),
        fits.get("weight_bytes").asLong()
            + fits.get("work_bytes").asLong()
            + fits.get("context_bytes").asLong());
    int whole = fits.get("longest_context").asInt();
    assertEquals(fits.get("context").asInt(), whole);

    // Room for a part of the context, in whole pages.
    long some = fits.get("needed_bytes").asLong() - fits.get("context_bytes").asLong() / 2;
    var less = within(some, "inspect", "--fit", "--json", "tiny-llm").json();
    assertFalse(less.get("fits").asBoolean());
    assertEquals(whole / 2, less.get("longest_context").asInt(), 64);
    for (String model : new String[] {"tiny-sam", "tiny-sd"}) {
      var other = within(1L << 30, "inspect", "--fit", model);
      assertEquals(0, other.code(), other.err());
      assertTrue(other.out().contains("it fits"), other.out());
      assertTrue(within(1000, "inspect", "--fit", model).out().contains("does not fit"));
    }
  }

  @Test
  void whatDoesNotFitIsRefusedUnlessForced() {
    String[] generate = {"generate", "-m", "tiny-llm", "-p", "A", "-n", "2", "--force"};
    var refused = within(100 << 20, java.util.Arrays.copyOf(generate, 7));
    assertEquals(2, refused.code());
    assertTrue(refused.err().contains("does not fit into memory"), refused.err());
    assertTrue(refused.err().contains("--force"), refused.err());
    assertEquals(0, within(100 << 20, generate).code());
    var image = within(100 << 20, "imagine", "a red circle", "-o", "never.png");
    assertEquals(2, image.code());
    assertTrue(image.err().contains("does not fit into memory"), image.err());
    var sam = within(100 << 20, "segment", "-i", "x.png", "--point", "1,1", "--overlay", "y.png");
    assertEquals(2, sam.code());
  }

  /// The image's size counts, how it is decoded, and what else is loaded.
  @Test
  void imagesThatDoNotFitAreRefusedWithWhatWould(@TempDir Path folder) throws IOException {
    String[] large = {
      "imagine",
      "a star",
      "-s",
      "1",
      "--dtype",
      "f32",
      "--width",
      "2048",
      "--height",
      "2048",
      "-o",
      "never.png"
    };
    var refused = within(1750L << 20, large);
    assertEquals(2, refused.code());
    assertTrue(refused.err().contains("an image of 2048 x 2048 does not fit"), refused.err());
    assertTrue(refused.err().contains("--vae-tiling (in Java"), refused.err());
    refused = within(500L << 20, large);
    assertTrue(refused.err().contains(" with --vae-tiling"), refused.err());
    var larger =
        within(
            400L << 20,
            "imagine",
            "a star",
            "--hires",
            "8",
            "-s",
            "1",
            "--dtype",
            "f32",
            "-o",
            "never.png");
    assertTrue(larger.err().contains("an image of 512 x 512 does not fit"), larger.err());
    assertFalse(Files.exists(Path.of("never.png")));
    Path out = folder.resolve("small.png");
    assertEquals(0, within(500L << 20, "imagine", "a star", "-s", "1", "-o", out + "").code());

    Path extra = folder.resolve("extra.safetensors");
    try (var file = new RandomAccessFile(extra.toFile(), "rw")) {
      file.setLength(400L << 20);
    }
    for (String option : List.of("--lora", "--vae", "--network", "--controlnet", "--embedding")) {
      var more = within(500L << 20, "imagine", "a star", option, extra + "", "-o", "never.png");
      assertTrue(more.err().contains("of weights and about"), more.err());
      assertTrue(more.err().contains("does not fit into memory"), more.err());
    }
  }

  /// What is said to be needed is at least what the workspace comes to hold.
  @ParameterizedTest
  @CsvSource({
    "tiny-sd, 512",
    "sd15_controlnet, 512",
    "pixart_sigma, 512",
    "sd35, 256",
    "flux_dev, 512",
    "flux2_klein, 512",
    "z_image, 512"
  })
  void estimateOfASteps(String model, int side) {
    Path path =
        model.equals("tiny-sd")
            ? TestData.pretrained(model)
            : TestData.shared("diffusion-random/" + model);
    var picture = Image.read(TestData.pretrained("tiny-sam/scene0.png"));
    var held = new long[1];
    try (var sd = StableDiffusion.load(path, o -> o.dtype(DType.Plain.F32))) {
      sd.imagine(
          "a star",
          o -> {
            o.steps(1).seed(1).size(side, side);
            if (model.equals("sd15_controlnet")) {
              o.control(picture, 1, 0, 1);
            }
            o.onStep(step -> held[0] = sd.ops().workspace().byteSize());
          });
      long said = sd.stepBytes(side, side, 5);
      assertTrue(said >= held[0], said + " < " + held[0]);
    }
  }

  @Test
  void whatJavaLoadsIsRefusedToo(@TempDir Path folder) throws IOException {
    System.setProperty(MEMORY, String.valueOf(100 << 20));
    try {
      Path tiny = TestData.pretrained("tiny-llm");
      assertThrows(DoesNotFitException.class, () -> Llm.load(tiny));
      assertThrows(DoesNotFitException.class, () -> Sam.load("tiny-sam"));
      assertThrows(DoesNotFitException.class, () -> StableDiffusion.load("tiny-sd"));
      Llm.load(tiny, o -> o.force(true)).close();
      Sam.load(TestData.pretrained("tiny-sam"), o -> o.force(true)).close();
      StableDiffusion.load(TestData.pretrained("tiny-sd"), o -> o.force(true)).close();
    } finally {
      System.clearProperty(MEMORY);
    }
    // Of several forms one is read.
    for (String name : new String[] {"a.safetensors", "a.fp16.safetensors", "a.bin", "b.json"}) {
      Files.write(folder.resolve(name), new byte[name.length()]);
    }
    assertEquals("a.safetensors".length(), Fit.of(folder, 0).weights());
  }

  @Test
  void containersLimitWhatIsFree(@TempDir Path root) throws IOException {
    write(root, "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:   8000 kB\n");
    assertEquals(8000 * 1024, FreeMemory.bytes(root));

    write(root, "proc/self/cgroup", "0::/a/b\n");
    write(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    write(root, "sys/fs/cgroup/a/b/memory.current", "1000\n");
    assertEquals(8000 * 1024, FreeMemory.bytes(root));
    write(root, "sys/fs/cgroup/a/memory.max", "5000000\n");
    write(root, "sys/fs/cgroup/a/memory.current", "2000000\n");
    write(root, "sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 300\nactive_file 40\n");
    assertEquals(3_000_340, FreeMemory.bytes(root));

    write(root, "proc/self/cgroup", "5:cpu,memory:/docker/x\n");
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n");
    write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "3900000\n");
    write(root, "sys/fs/cgroup/memory/memory.stat", "cache 9\ntotal_inactive_file 7\n");
    assertEquals(100_007, FreeMemory.bytes(root));

    Files.delete(root.resolve("proc/meminfo"));
    Files.delete(root.resolve("proc/self/cgroup"));
    assertEquals(Long.MAX_VALUE, FreeMemory.bytes(root));
  }

  private static void write(Path root, String file, String text) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }
}
