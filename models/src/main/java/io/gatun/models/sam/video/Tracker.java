package io.gatun.models.sam.video;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.sam.LowResMasks;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Resize;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.modeling.MaskDecoder;
import io.gatun.models.sam.modeling.PromptPoints;
import io.gatun.models.sam.modeling.encoder.ImageEncoder.Encoded;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.runtime.Owner;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/// Follows objects through a video, whose frames it sees one by one, each once.
///
/// An object begins in the first frame that has a prompt for it. A prompt in a later frame corrects
/// what the model would have found there. Memory grows with objects, not with frames.
///
/// Any thread may use it: calls from several threads take turns.
public final class Tracker implements AutoCloseable {
  /// The logit of all pixels of an object that is not to be seen.
  private static final float NO_OBJECT = -1024;

  /// A mask that is corrected is no surer than this.
  private static final float SUREST = 32;

  /// The score of an object of which a mask was given.
  private static final float GIVEN = 10;

  /// How far back pointers reach.
  private static final int MAX_POINTERS = 16;

  private final Sam sam;
  private final MemoryNetworks networks;
  private final int longest;
  private final Owner owner = new Owner("video");
  private final Arena arena = Arena.ofShared();
  private final Map<Integer, MemoryBank> objects = new TreeMap<>();
  private final Map<Integer, Map<Integer, Question>> questions = new TreeMap<>();
  private int frame;
  private int width;
  private int height;

  /// What is said of an object in a frame: a prompt, or a mask.
  private record Question(Prompt prompt, Mask mask) {}

  /// What is found of an object in a frame.
  ///
  /// @param logits (h, w)
  private record Found(float[] logits, float iou, float objectScore, float[] pointer) {}

  Tracker(Sam sam, MemoryNetworks networks, int frames) {
    this.sam = sam;
    this.networks = networks;
    longest = Math.clamp(frames, 2, MAX_POINTERS);
  }

  /// Points at an object in a frame that is yet to come.
  ///
  /// @param atFrame counted from 0
  /// @param object any number; the same one for the same object
  /// @param prompt in pixels of the frame; a mask in it is not used
  /// @throws IllegalArgumentException if the frame is over, or the object was pointed at there
  public void prompt(int atFrame, int object, Prompt prompt) {
    ask(atFrame, object, new Question(Objects.requireNonNull(prompt, "the prompt is null"), null));
  }

  /// Gives an object's mask in a frame that is yet to come.
  ///
  /// @throws IllegalArgumentException as [#prompt]
  public void mask(int atFrame, int object, Mask mask) {
    ask(atFrame, object, new Question(null, Objects.requireNonNull(mask, "the mask is null")));
  }

  private void ask(int atFrame, int object, Question question) {
    try (var _ = owner.turn()) {
      if (atFrame < frame) {
        throw new IllegalArgumentException(
            "frame %d is over; the next one is %d".formatted(atFrame, frame));
      }
      var there = questions.computeIfAbsent(atFrame, _ -> new TreeMap<>());
      if (there.putIfAbsent(object, question) != null) {
        throw new IllegalArgumentException(
            "object %d has a prompt in frame %d already; give one with all points"
                .formatted(object, atFrame));
      }
    }
  }

  /// Looks at the next frame: what it has of each object that was pointed at so far, by their
  /// numbers.
  ///
  /// @throws IllegalArgumentException if it has another size than the first frame, or a prompt
  ///   reaches outside it
  /// @throws IllegalStateException if this or the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public List<TrackedObject> next(Image image) {
    Objects.requireNonNull(image, "the frame is null");
    if (frame > 0 && (image.width() != width || image.height() != height)) {
      throw new IllegalArgumentException(
          "frame %d is %d x %d pixels; need %d x %d as the first one"
              .formatted(frame, image.width(), image.height(), width, height));
    }
    var f = sam.functional();
    try (var _ = f.ops().owner().turn();
        var _ = owner.turn();
        var _ = f.scope()) {
      return next(f, sam.input(image), image.width(), image.height());
    }
  }

  /// As [#next(Image)], of a frame that is resized and normalized.
  ///
  /// @param input (1, imgSize, imgSize, 3) F32
  public List<TrackedObject> next(Tensor input, int frameWidth, int frameHeight) {
    var f = sam.functional();
    try (var _ = f.ops().owner().turn();
        var _ = owner.turn();
        var _ = f.scope()) {
      return next(f, input, frameWidth, frameHeight);
    }
  }

  private List<TrackedObject> next(Functional f, Tensor input, int frameWidth, int frameHeight) {
    var asked = questions.getOrDefault(frame, Map.of());
    asked.values().stream()
        .filter(q -> q.prompt != null)
        .forEach(q -> q.prompt.checkInside(frameWidth, frameHeight));
    width = frameWidth;
    height = frameHeight;
    asked.keySet().forEach(o -> objects.computeIfAbsent(o, _ -> newBank()));
    var found = new ArrayList<TrackedObject>();
    if (!objects.isEmpty()) {
      var image = sam.imageEncoder().encode(f, input);
      var encoded = new Encoded(image.embedding(), sam.maskDecoder().features(f, image));
      for (var object : objects.entrySet()) {
        try (var _ = f.scope()) {
          found.add(find(f, encoded, object.getKey(), object.getValue(), asked));
        }
      }
    }
    questions.remove(frame);
    frame++;
    return found;
  }

  private MemoryBank newBank() {
    return new MemoryBank(arena, networks.numMaskmem - 1, MAX_POINTERS - 1);
  }

  private TrackedObject find(
      Functional f, Encoded encoded, int object, MemoryBank bank, Map<Integer, Question> asked) {
    var question = asked.get(object);
    var found =
        question != null && question.mask != null
            ? given(f, encoded, question.mask)
            : found(f, encoded, bank, question);
    var features =
        networks.encoder.forward(
            f, encoded.embedding(), found.logits, question != null, found.objectScore > 0);
    bank.add(frame, features, found.pointer);
    int side = sam.config().maskSize();
    var logits = f.ops().empty(side, side);
    MemorySegment.copy(
        found.logits, 0, logits.segment(), ValueLayout.JAVA_FLOAT, 0, found.logits.length);
    var mask =
        LowResMasks.mask(
            logits,
            Resize.of(sam.config()),
            width,
            height,
            sam.config().maskThreshold(),
            found.iou);
    return new TrackedObject(object, mask, found.objectScore, found.logits);
  }

  private Found found(Functional f, Encoded encoded, MemoryBank bank, Question question) {
    if (bank.isEmpty()) {
      var embedding = sam.withoutMemory(encoded.embedding());
      return decode(f, embedding, encoded, question.prompt, null);
    }
    var embedding = networks.condition(f, encoded.embedding(), bank, frame, longest);
    var tracked = decode(f, embedding, encoded, null, null);
    return question == null
        ? tracked
        : decode(f, embedding, encoded, question.prompt, limited(tracked.logits));
  }

  private static float[] limited(float[] logits) {
    var out = new float[logits.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = Math.clamp(logits[i], -SUREST, SUREST);
    }
    return out;
  }

  /// @param prompt null for none
  /// @param before the mask that the prompt corrects, or null
  private Found decode(
      Functional f, Tensor embedding, Encoded encoded, Prompt prompt, float[] before) {
    var points =
        prompt == null ? PromptPoints.none(2) : prompt.encoderPoints(sam.config(), width, height);
    // One point may mean a part or the whole, and so may none.
    boolean multimask = prompt == null || prompt.isSinglePoint();
    var out = decode(f, embedding, encoded, points, before, multimask);
    int best = 0;
    for (int i = 1; i < out.ious().length; i++) {
      best = out.ious()[i] > out.ious()[best] ? i : best;
    }
    float score = out.objectScores()[0];
    if (score > 0) {
      return new Found(
          out.logits().get(0).get(best).toFloats(), out.ious()[best], score, pointer(f, out, best));
    }
    var none = new float[sam.config().maskSize() * sam.config().maskSize()];
    Arrays.fill(none, NO_OBJECT);
    return new Found(none, out.ious()[best], score, networks.noObjPtr);
  }

  private MaskDecoder.Output decode(
      Functional f,
      Tensor embedding,
      Encoded encoded,
      PromptPoints points,
      float[] mask,
      boolean multimask) {
    var prompts = sam.promptEncoder();
    var dense = mask == null ? prompts.noMask(f) : prompts.dense(f, List.of(mask));
    var decoder = sam.maskDecoder();
    var sparse = prompts.sparse(f, List.of(points));
    return decoder.forward(
        f, decoder.image(f, embedding, dense), encoded.levels(), sparse, multimask);
  }

  /// What the object is, for later frames.
  private float[] pointer(Functional f, MaskDecoder.Output out, int mask) {
    var token = f.cast(out.tokens().slice(1, mask, mask + 1));
    return networks.objPtrProj.forward(f, token).toFloats();
  }

  /// A mask is taken as it is; the decoder sees it for the pointer only.
  private Found given(Functional f, Encoded encoded, Mask mask) {
    mask.checkSize(width, height);
    int side = sam.config().imgSize();
    var scaled = mask.toImage().resize(side, side, Filter.BILINEAR, f.ops().workers());
    var pixels = new float[side * side];
    boolean any = false;
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = scaled.get(i % side, i / side, 0) >= 128 ? 1 : 0;
      any |= pixels[i] > 0;
    }
    var out =
        decode(
            f,
            encoded.embedding(),
            encoded,
            PromptPoints.none(2),
            networks.maskDownsample.prompt(pixels, side),
            false);
    boolean seen = any && out.objectScores()[0] > 0;
    return new Found(
        MaskDownsample.logits(pixels, side),
        1,
        any ? GIVEN : -GIVEN,
        seen ? pointer(f, out, 0) : networks.noObjPtr);
  }

  /// The frame that comes next, counted from 0.
  public int frame() {
    return frame;
  }

  /// What is remembered of an object in the last frame: (G G, M), until the next frame.
  public Tensor memory(int object) {
    return objects.get(object).lastFeatures();
  }

  /// The last frame's pointer to an object (C).
  public float[] pointer(int object) {
    return objects.get(object).lastPointer().clone();
  }

  /// Gives the memories back; a second call does nothing.
  @Override
  public void close() {
    owner.close(arena::close);
  }
}
