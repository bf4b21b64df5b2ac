package io.gatun.models.sam;

import io.gatun.ffm.RawArena;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sam.modeling.TwoWayTransformer;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// An image's embedding, and the masks that the model finds in it.
///
/// Any thread may use it: calls from several threads take turns. What [#decode] returns is
/// overwritten by the next call of any thread.
public final class SamPredictor implements EncodedImage {
  /// Prompts that are decoded together: so few that what they make of the image, a few megabytes
  /// each, stays near the caches, which is worth more than filling the tokens' small products.
  private static final int PROMPTS = 1;

  private final Sam sam;
  private final Owner owner = new Owner("image");
  private final int width;
  private final int height;
  private final RawArena arena = new RawArena();
  private final Tensor embedding;
  private final List<Tensor> features;
  // Of the last prediction, with memory of its own, which is used again where it is large enough.
  private Arena logitsArena = Arena.ofShared();
  private MemorySegment logits = MemorySegment.NULL;

  /// @param embedding (1, G, G, C), which is copied
  /// @param features of the image that the mask decoder reads, which are copied
  /// @param width of the image in pixels, before it was resized for the model
  /// @param height likewise
  SamPredictor(Sam sam, Tensor embedding, List<Tensor> features, int width, int height) {
    this.sam = sam;
    this.width = width;
    this.height = height;
    this.embedding = copy(embedding);
    this.features = features.stream().map(this::copy).toList();
  }

  private Tensor copy(Tensor x) {
    Tensor copy = Tensor.allocate(arena, x.dtype(), x.shape().dims());
    MemorySegment.copy(x.segment(), 0, copy.segment(), 0, x.byteSize());
    return copy;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public Resize resize() {
    return Resize.of(sam.config());
  }

  @Override
  public int maskSize() {
    return sam.config().maskSize();
  }

  @Override
  public float maskThreshold() {
    return sam.config().maskThreshold();
  }

  @Override
  public Workers workers() {
    return sam.functional().ops().workers();
  }

  /// What the image encoder made of the image: (1, G, G, C).
  public Tensor embedding() {
    return embedding;
  }

  /// The model's turn comes first, so that no thread has the image and waits for the model. Both
  /// are had until the image's masks are made of its logits.
  @Override
  public List<Prediction> predict(List<Prompt> prompts, boolean multimaskOutput) {
    try (var _ = workers().owner().turn();
        var _ = owner.claim()) {
      return EncodedImage.super.predict(prompts, multimaskOutput);
    }
  }

  /// @throws IllegalArgumentException if a prompt is empty or reaches outside the image, they have
  ///   not the same form, or a mask has another size than those that the model makes
  /// @throws io.gatun.loaders.CheckpointException if the model's answer is no number (NaN)
  /// @throws IllegalStateException if the image or the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  @Override
  public LowResMasks decode(List<Prompt> prompts, boolean multimaskOutput) {
    try (var _ = workers().owner().turn();
        var _ = owner.claim()) {
      return decodeAll(prompts, multimaskOutput);
    }
  }

  private LowResMasks decodeAll(List<Prompt> prompts, boolean multimaskOutput) {
    if (prompts.isEmpty()) {
      throw new IllegalArgumentException("there are no prompts; give at least one");
    }
    for (var prompt : prompts) {
      prompt.check(prompts.getFirst(), width, height);
    }
    int masks = multimaskOutput ? sam.config().numMultimaskOutputs() : 1;
    int side = sam.config().maskSize();
    var all = logits(prompts.size(), masks, side, side);
    var ious = new float[prompts.size() * masks];
    var f = sam.functional();
    try (var _ = f.scope()) {
      // Without masks the image is the same for all prompts.
      var shared = prompts.getFirst().maskInput() == null ? image(f, List.of()) : null;
      for (int from = 0; from < prompts.size(); from += PROMPTS) {
        var part = prompts.subList(from, Math.min(prompts.size(), from + PROMPTS));
        try (var _ = f.scope()) {
          var image = shared == null ? image(f, part) : shared;
          var points =
              part.stream().map(p -> p.encoderPoints(sam.config(), width, height)).toList();
          var sparse = sam.promptEncoder().sparse(f, points);
          var prediction = sam.maskDecoder().forward(f, image, features, sparse, multimaskOutput);
          var found = prediction.logits().segment();
          MemorySegment.copy(
              found, 0, all.segment(), from * all.stride(0) * Float.BYTES, found.byteSize());
          float[] quality = prediction.ious();
          System.arraycopy(quality, 0, ious, from * masks, quality.length);
        }
      }
    }
    NotFinite.check("the masks' qualities", ious, sam.checkpoint());
    return new LowResMasks(all, ious);
  }

  /// @param prompts with masks, or none
  private TwoWayTransformer.Image image(Functional f, List<Prompt> prompts) {
    var masks = prompts.stream().map(Prompt::maskInput).toList();
    var encoder = sam.promptEncoder();
    return sam.maskDecoder()
        .image(f, embedding, masks.isEmpty() ? encoder.noMask(f) : encoder.dense(f, masks));
  }

  /// Memory for F32 logits, with whatever it holds.
  private Tensor logits(long... dims) {
    var shape = Shape.of(dims);
    long bytes = DType.Plain.F32.byteSize(shape);
    if (logits.byteSize() < bytes) {
      logits = MemorySegment.NULL; // there may be no memory for more
      logitsArena.close();
      logitsArena = Arena.ofShared();
      logits = logitsArena.allocate(bytes, 64);
    }
    return Tensor.of(logits, DType.Plain.F32, shape);
  }

  /// `SamPredictor(640 x 480 pixels)`.
  @Override
  public String toString() {
    return owner.isClosed()
        ? "SamPredictor(closed)"
        : "SamPredictor(%d x %d pixels)".formatted(width, height);
  }

  /// Gives the memory back, after a call of another thread; a second call does nothing.
  @Override
  public void close() {
    owner.close(
        () -> {
          logitsArena.close();
          arena.close();
        });
  }
}
