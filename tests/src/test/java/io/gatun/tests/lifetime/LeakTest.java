package io.gatun.tests.lifetime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.parallel.Isolated;

/// What was closed is gone: files, mappings, threads and memory outside of the heap.
@EnabledOnOs(OS.LINUX)
@Isolated("tells what the process holds")
class LeakTest {
  private static final Path LLM = TestData.pretrained("tiny-llm");
  private static final Path SAM = TestData.pretrained("tiny-sam");
  private static final Path SD = TestData.pretrained("tiny-sd");

  /// What the JVM itself may take meanwhile, for its heap and for compiled code: 10 to 50 MB. A
  /// model's workspace alone has 16.
  private static final long NOISE_MB = 200;

  /// What a process holds.
  ///
  /// @param mapped files below the folder of the models that are in its memory
  private record Held(long descriptors, long mapped, long threads, long megabytes) {
    static Held now() throws IOException, InterruptedException {
      System.gc();
      Thread.sleep(100); // threads that were joined may still be listed for a moment
      try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"));
          Stream<Path> threads = Files.list(Path.of("/proc/self/task"));
          Stream<String> maps = Files.lines(Path.of("/proc/self/maps"));
          Stream<String> status = Files.lines(Path.of("/proc/self/status"))) {
        return new Held(
            descriptors.count(),
            maps.filter(line -> line.contains("/models/pretrained/")).count(),
            threads.filter(Held::isOurs).count(),
            status
                    .filter(line -> line.startsWith("RssAnon:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .sum()
                >> 10);
      }
    }

    /// Not the JVM's, which has more compilers and collectors at work when there is more to do.
    private static boolean isOurs(Path thread) {
      try {
        return !Files.readString(thread.resolve("comm")).matches("(?s)(C[12]|G1|GC|VM) .*");
      } catch (IOException e) {
        return false; // ended meanwhile
      }
    }
  }

  private static void rounds(int rounds, Runnable round) throws Exception {
    for (int i = 0; i < 20; i++) {
      round.run();
    }
    var before = Held.now();
    for (int i = 0; i < rounds; i++) {
      round.run();
    }
    var after = Held.now();
    String both = before + " -> " + after;
    assertEquals(before.mapped, after.mapped, both); // what other tests have open counts, too
    assertTrue(after.descriptors <= before.descriptors + 2, both);
    assertTrue(after.threads <= before.threads + 2, both);
    assertTrue(after.megabytes <= before.megabytes + NOISE_MB, both);
  }

  @Test
  void twoHundredLanguageModels() throws Exception {
    rounds(
        200,
        () -> {
          try (var llm = Llm.load(LLM, o -> o.threads(2));
              var session = llm.newSession()) {
            session.feed(5, 6, 7);
          }
        });
  }

  @Test
  void twoHundredSegmenters() throws Exception {
    var image = Image.read(SAM.resolve("scene0.png"));
    rounds(
        200,
        () -> {
          try (var sam = Sam.load(SAM, o -> o.threads(2));
              var encoded = sam.encode(image)) {
            encoded.decode(List.of(Prompt.point(9, 9)), false);
          }
        });
  }

  @Test
  void twoHundredPainters() throws Exception {
    rounds(
        200,
        () -> {
          try (var sd = StableDiffusion.load(SD, o -> o.threads(2))) {
            sd.imagine("a red circle", o -> o.steps(1).width(16).height(16));
          }
        });
  }
}
