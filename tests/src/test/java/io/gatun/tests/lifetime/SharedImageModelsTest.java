package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.amg.SamAutomaticMaskGenerator;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/// Models of images in the hands of several threads, closed at any moment, interrupted at any
/// moment.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedImageModelsTest {
  private static final Path SAM = TestData.pretrained("tiny-sam");
  private static final Path SD = TestData.pretrained("tiny-sd");
  private static final String CLOSED = "the model is closed";
  private static final Prompt POINT = Prompt.point(100, 100);

  private final ExecutorService other = Executors.newCachedThreadPool();

  @AfterEach
  void end() {
    other.shutdownNow();
  }

  private static Image scene(int i) {
    return Image.read(SAM.resolve("scene" + i + ".png"));
  }

  private static byte[] bytes(Image image) {
    return image.pixels().toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void threadsGetTheMasksThatEachWouldGetAlone() throws Exception {
    try (var sam = Sam.load(SAM, o -> o.threads(2));
        var shared = sam.encode(scene(0))) {
      float[] expected = shared.predict(POINT).lowResLogits(0);
      var masks = new ArrayList<float[]>();
      for (int i = 0; i < 3; i++) {
        try (var image = sam.encode(scene(i))) {
          masks.add(image.predict(POINT).lowResLogits(0));
        }
      }
      var all = new ArrayList<Future<?>>();
      for (int t = 0; t < 4; t++) {
        int own = t % 3;
        all.add(
            other.submit(
                () -> {
                  for (int round = 0; round < 4; round++) {
                    assertArrayEquals(expected, shared.predict(POINT).lowResLogits(0));
                    try (var image = sam.encode(scene(own))) {
                      assertArrayEquals(masks.get(own), image.predict(POINT).lowResLogits(0));
                    }
                  }
                }));
      }
      all.add(
          other.submit(
              () ->
                  new SamAutomaticMaskGenerator(sam, o -> o.pointsPerSide(4)).generate(scene(0))));
      for (var each : all) {
        each.get(60, SECONDS);
      }
    }
  }

  @Test
  void afterCloseSamAndItsImagesSaySo() {
    var sam = Sam.load(SAM);
    var image = sam.encode(scene(0));
    var gone = sam.encode(scene(0));
    gone.close();
    gone.close();
    var e = assertThrows(IllegalStateException.class, () -> gone.predict(POINT));
    assertEquals("the image is closed", e.getMessage());
    assertThrows(IllegalStateException.class, () -> sam.checkpoint().close());
    var mask = image.predict(POINT).best();
    sam.close();
    sam.close();
    for (Executable use :
        List.<Executable>of(
            () -> sam.encode(scene(0)),
            () -> image.predict(POINT),
            () -> image.decode(List.of(POINT), true),
            () -> image.logitsOf(mask),
            () -> new SamAutomaticMaskGenerator(sam).generate(scene(0)),
            () -> sam.functional().empty(1))) {
      assertEquals(CLOSED, assertThrows(IllegalStateException.class, use).getMessage());
    }
    image.close();
    image.close();
    assertEquals("Sam(tiny-sam: closed)", sam.toString());
    assertEquals("SamPredictor(closed)", image.toString());
  }

  @Test
  void closingSamEndsWhatAnotherThreadDoes() throws Exception {
    for (int threads : new int[] {1, 2}) {
      var sam = Sam.load(SAM, o -> o.threads(threads));
      var begun = new CountDownLatch(1);
      var working =
          other.submit(
              () -> {
                try {
                  while (true) {
                    try (var image = sam.encode(scene(0))) {
                      image.predict(POINT);
                    }
                    begun.countDown();
                  }
                } catch (IllegalStateException e) {
                  return e.getMessage();
                }
              });
      assertTrue(begun.await(50, SECONDS));
      sam.close();
      assertEquals(CLOSED, working.get(50, SECONDS));
    }
  }

  @Test
  void closingAnImageWaitsForThePredictionThatRuns() throws Exception {
    try (var sam = Sam.load(SAM)) {
      for (int round = 0; round < 10; round++) {
        var image = sam.encode(scene(0));
        var begun = new CountDownLatch(1);
        var working =
            other.submit(
                () -> {
                  try {
                    while (true) {
                      image.predict(POINT);
                      begun.countDown();
                    }
                  } catch (IllegalStateException e) {
                    return e.getMessage();
                  }
                });
        assertTrue(begun.await(50, SECONDS));
        image.close();
        assertEquals("the image is closed", working.get(50, SECONDS));
      }
    }
  }

  /// With the slow reference kernels an image takes long; an interrupt ends it between layers.
  @Test
  void anInterruptEndsEncodingAnImage() throws Exception {
    try (var sam = Sam.load(SAM, o -> o.backend(Backend.SCALAR).threads(1))) {
      var image = scene(0);
      Interruptions.endsSoon(
          () -> sam.encode(image).close(),
          () -> {
            try (var _ = sam.encode(image)) {
              return false;
            } catch (CancellationException e) {
              return true;
            }
          });
      sam.encode(image).close();
    }
  }

  private static byte[] paint(StableDiffusion sd, long seed) {
    return bytes(
        sd.imagine("a red circle", o -> o.steps(2).seed(seed).width(32).height(32)).image());
  }

  @Test
  void threadsGetTheImagesThatEachWouldGetAlone() throws Exception {
    try (var sd = StableDiffusion.load(SD, o -> o.threads(2))) {
      var alone = List.of(paint(sd, 1), paint(sd, 2));
      var all = new ArrayList<Future<?>>();
      for (int t = 0; t < 3; t++) {
        int own = t % 2;
        all.add(other.submit(() -> assertArrayEquals(alone.get(own), paint(sd, own + 1))));
      }
      for (var each : all) {
        each.get(60, SECONDS);
      }
    }
  }

  @Test
  void anInterruptEndsAnImageWithinAStep() {
    try (var sd = StableDiffusion.load(SD)) {
      byte[] alone = paint(sd, 1);
      var steps = new AtomicInteger();
      assertThrows(
          CancellationException.class,
          () ->
              sd.imagine(
                  "a red circle",
                  o ->
                      o.steps(5)
                          .onStep(
                              step -> {
                                steps.incrementAndGet();
                                Thread.currentThread().interrupt();
                              })));
      assertEquals(1, steps.get());
      assertThrows(CancellationException.class, () -> sd.imagine("a red circle"));
      assertTrue(Thread.interrupted());
      assertArrayEquals(alone, paint(sd, 1));
    }
  }

  @Test
  void aListenerMayCloseTheModelItselfOrThroughAnotherThread() throws Exception {
    for (boolean otherThread : new boolean[] {false, true}) {
      var sd = StableDiffusion.load(SD);
      var e =
          assertThrows(
              IllegalStateException.class,
              () ->
                  sd.imagine(
                      "a red circle",
                      o ->
                          o.steps(3)
                              .onStep(
                                  step -> {
                                    step.preview();
                                    close(sd, otherThread);
                                    assertThrows(IllegalStateException.class, step::preview);
                                  })));
      assertEquals(CLOSED, e.getMessage());
      assertEquals("StableDiffusion(tiny-sd: closed)", sd.toString());
      e = assertThrows(IllegalStateException.class, () -> sd.imagine("a red circle"));
      assertEquals(CLOSED, e.getMessage());
      sd.close();
    }
  }

  private void close(StableDiffusion sd, boolean otherThread) {
    try {
      if (otherThread) {
        other.submit(sd::close).get(50, SECONDS);
      } else {
        sd.close();
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
