package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.video.Sam2;
import io.gatun.models.sam.video.TrackedObject;
import io.gatun.models.sam.video.Tracker;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import io.gatun.tests.sam.SamGoldens;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// SAM 2 with random weights against what facebookresearch/sam2 makes of a clip, frame by frame.
class TrackerGoldenTest {
  private static final int SIDE = 128;

  /// Every model that has the goldens.
  static Stream<Path> models() throws IOException {
    var models = new ArrayList<Path>();
    for (Path model : TestData.folders("seg-random")) {
      if (Sam2GoldenTest.isSam2(model) && Files.exists(model.resolve("golden/video.safetensors"))) {
        models.add(model);
      }
    }
    assertTrue(!models.isEmpty(), "no models");
    return models.stream();
  }

  private static Checkpoint golden(Path model) {
    return Checkpoint.open(model.resolve("golden/video.safetensors"));
  }

  /// Each frame's mask logits, score, pointer and memory.
  @ParameterizedTest
  @MethodSource("models")
  void clicks(Path model) {
    try (var golden = golden(model);
        var sam2 = Sam2.load(model, o -> o.dtype(DType.Plain.F32).threads(2))) {
      var frames = frames(golden);
      try (var tracker = sam2.track(frames.size())) {
        tracker.prompt(0, 7, prompt(golden));
        compare("float32_memory.", golden, tracker, frames);
      }
    }
  }

  /// Those of them with a run that starts from a mask.
  static Stream<Path> modelsWithMasks() throws IOException {
    var models =
        models()
            .filter(
                model -> {
                  try (var golden = golden(model)) {
                    return golden.tensors().containsKey("from_mask.frame0.pred_masks");
                  }
                })
            .toList();
    assertFalse(models.isEmpty());
    return models.stream();
  }

  @ParameterizedTest
  @MethodSource("modelsWithMasks")
  void givenMask(Path model) {
    try (var golden = golden(model);
        var sam2 = Sam2.load(model, o -> o.dtype(DType.Plain.F32).threads(2))) {
      var frames = frames(golden);
      var given = Arena.ofAuto().allocate((long) SIDE * SIDE);
      var pixels = golden.tensor("given_mask").segment();
      for (int i = 0; i < SIDE * SIDE; i++) {
        given.set(ValueLayout.JAVA_BYTE, i, (byte) (255 * pixels.get(ValueLayout.JAVA_BYTE, i)));
      }
      try (var tracker = sam2.track(frames.size())) {
        tracker.mask(0, 7, Mask.of(Image.of(SIDE, SIDE, 1, given)));
        compare("from_mask.", golden, tracker, frames);
      }
    }
  }

  private static void compare(String run, Checkpoint golden, Tracker tracker, List<Image> frames) {
    // The reference rounds memories of the other run to BF16: they, and what sees them, differ.
    double ofMemory = run.equals("from_mask.") ? 5e-3 : 1e-4;
    for (int i = 0; i < frames.size(); i++) {
      double tolerance = i == 0 ? 1e-4 : ofMemory;
      var found = tracker.next(frames.get(i));
      assertEquals(1, found.size());
      assertEquals(7, found.getFirst().object());
      String frame = run + "frame" + i + ".";
      Goldens.assertClose(
          frame + "pred_masks",
          golden.tensor(frame + "pred_masks"),
          found.getFirst().lowResLogits(),
          tolerance);
      Goldens.assertClose(
          frame + "score",
          golden.tensor(frame + "object_score_logits"),
          new float[] {found.getFirst().objectScore()},
          tolerance);
      Goldens.assertClose(
          frame + "obj_ptr", golden.tensor(frame + "obj_ptr"), tracker.pointer(7), tolerance);
      Goldens.assertClose(
          frame + "maskmem_features",
          Goldens.nhwc(golden.tensor(frame + "maskmem_features")),
          tracker.memory(7),
          ofMemory);
    }
  }

  /// Objects do not see each other, and one may begin later.
  @ParameterizedTest
  @MethodSource("models")
  void severalObjects(Path model) {
    try (var golden = golden(model);
        var sam2 = Sam2.load(model, o -> o.dtype(DType.Plain.F32).threads(2))) {
      var frames = frames(golden);
      var one = run(sam2, frames, List.of(1));
      var other = run(sam2, frames, List.of(2));
      var both = run(sam2, frames, List.of(1, 2));
      for (int i = 0; i < frames.size(); i++) {
        assertEquals(i < 2 ? 1 : 2, both.get(i).size());
        same(one.get(i).getFirst(), both.get(i).getFirst());
        if (i >= 2) {
          same(other.get(i).getFirst(), both.get(i).getLast());
        }
      }
    }
  }

  private static void same(TrackedObject a, TrackedObject b) {
    assertEquals(a.object(), b.object());
    assertEquals(a.objectScore(), b.objectScore());
    assertArrayEquals(a.lowResLogits(), b.lowResLogits());
  }

  private static List<List<TrackedObject>> run(
      Sam2 sam2, List<Image> frames, List<Integer> objects) {
    try (var tracker = sam2.track(frames.size())) {
      for (int object : objects) {
        tracker.prompt(object == 1 ? 0 : 2, object, Prompt.point(40 * object, 60));
      }
      return frames.stream().map(tracker::next).toList();
    }
  }

  /// A prompt in a later frame changes what is found from there on, and nothing before.
  @ParameterizedTest
  @MethodSource("models")
  void corrections(Path model) {
    try (var golden = golden(model);
        var sam2 = Sam2.load(model, o -> o.dtype(DType.Plain.F32).threads(2))) {
      var frames = frames(golden);
      var plain = run(sam2, frames, List.of(1));
      try (var tracker = sam2.track(frames.size())) {
        tracker.prompt(0, 1, Prompt.point(40, 60));
        tracker.prompt(3, 1, Prompt.point(100, 100).withBackground(40, 60));
        for (int i = 0; i < frames.size(); i++) {
          var found = tracker.next(frames.get(i)).getFirst();
          boolean equal =
              Arrays.equals(plain.get(i).getFirst().lowResLogits(), found.lowResLogits());
          assertEquals(i < 3, equal, "frame " + i);
        }
      }
    }
  }

  /// However many frames, the memory of a tracker stays.
  @ParameterizedTest
  @MethodSource("models")
  void longVideos(Path model) {
    try (var golden = golden(model);
        var sam2 = Sam2.load(model, o -> o.dtype(DType.Plain.F32).threads(2));
        var tracker = sam2.track()) {
      var frames = frames(golden);
      tracker.prompt(0, 1, Prompt.point(40, 60));
      var addresses = new HashSet<Long>();
      for (int i = 0; i < 30; i++) {
        tracker.next(frames.get(i % frames.size()));
        addresses.add(tracker.memory(1).segment().address());
      }
      assertEquals(7, addresses.size());
    }
  }

  private static List<Image> frames(Checkpoint golden) {
    Tensor all = golden.tensor("frames_uint8_hwc");
    var frames = new ArrayList<Image>();
    long size = 3L * SIDE * SIDE;
    for (long i = 0; i < all.dim(0); i++) {
      var pixels = Arena.ofAuto().allocate(size);
      MemorySegment.copy(all.segment(), i * size, pixels, 0, size);
      frames.add(Image.of(SIDE, SIDE, 3, pixels));
    }
    return frames;
  }

  private static Prompt prompt(Checkpoint golden) {
    Prompt prompt = null;
    float[] xy = golden.tensor("points").toFloats();
    for (int i = 0; i < xy.length / 2; i++) {
      int label = golden.tensor("labels").segment().getAtIndex(ValueLayout.JAVA_INT_UNALIGNED, i);
      prompt = SamGoldens.withPoint(prompt, xy[2 * i], xy[2 * i + 1], label);
    }
    return prompt;
  }
}
