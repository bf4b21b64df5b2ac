package io.gatun.models.sam;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Interruption;
import io.gatun.models.Fit;
import io.gatun.models.NamedModels;
import io.gatun.models.image.Image;
import io.gatun.models.nn.Constants;
import io.gatun.models.nn.Quantization;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.HieraConfig;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.models.sam.config.SamNames;
import io.gatun.models.sam.config.TinyViTConfig;
import io.gatun.models.sam.config.ViTConfig;
import io.gatun.models.sam.modeling.MaskDecoder;
import io.gatun.models.sam.modeling.PromptEncoder;
import io.gatun.models.sam.modeling.TinySam;
import io.gatun.models.sam.modeling.encoder.HieraEncoder;
import io.gatun.models.sam.modeling.encoder.ImageEncoder;
import io.gatun.models.sam.modeling.encoder.ImageEncoderViT;
import io.gatun.models.sam.modeling.encoder.TinyViT;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.WarmUp;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// Segment Anything (Kirillov et al. 2023): masks for an image, from points, boxes or other masks.
///
/// ```java
/// try (var sam = Sam.load(Path.of("sam_vit_b_01ec64.pth"));
///     var image = sam.encode(Image.read(Path.of("photo.jpg")))) {
///   ...
/// }
/// ```
///
/// Any thread may use it and the images that it has encoded: calls from several threads take turns.
/// An interrupt ends what a call computes within a layer, with a
/// [java.util.concurrent.CancellationException]; the thread stays interrupted. The parts, such as
/// [#functional] and [#imageEncoder], are for one thread at a time, and refuse a second one.
public final class Sam implements MaskPredictor, AutoCloseable {
  private static final Pattern ENCODER_LINEARS =
      Pattern.compile("^image_encoder\\.(trunk\\.)?blocks\\.");

  /// The positions that transformers keeps twice, what the configuration says, and what MobileSAM's
  /// encoder was trained with.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "prompt_encoder\\.shared_embedding\\.positional_embedding$|pixel_(mean|std)$"
              + "|image_encoder\\.(norm_)?head\\.|image_encoder\\..*\\.num_batches_tracked$");

  /// What SAM 2 has to follow objects through a video, by the names of both layouts.
  private static final Pattern OF_VIDEO =
      Pattern.compile(
          "(maskmem_|memory_|no_mem_pos|no_memory_pos|no_obj|occlusion_|mask_downsample\\.|obj_ptr"
              + "|object_pointer|temporal_pos)|"
              + LEFTOVERS);

  private final Checkpoint checkpoint;
  private final SamConfig config;
  private final Ops ops;
  private final Functional functional;
  private final Preprocess preprocess;
  private final ImageEncoder imageEncoder;
  private final PromptEncoder promptEncoder;
  private final Tensor noMemEmbed; // (C), or null
  private final MaskDecoder maskDecoder;

  private Sam(Checkpoint checkpoint, SamOptions options, Ops ops) {
    this.checkpoint = checkpoint;
    this.ops = ops;
    config = SamConfig.of(checkpoint, options.imgSize);
    functional = new Functional(ops, options.dtype());
    var tensors = new UsedTensors(checkpoint);
    var weights =
        Weights.of(tensors, SamNames.of(checkpoint))
            .because("other tensors of the file say so")
            .quantized(new Quantization(options.quantization, 0, ENCODER_LINEARS));
    preprocess = new Preprocess(config);
    imageEncoder =
        switch (config.encoder()) {
          case ViTConfig vit ->
              new ImageEncoderViT(
                  weights.at("image_encoder"), vit, config.highQuality(), functional);
          case TinyViTConfig tiny ->
              new TinyViT(weights.at("image_encoder"), tiny, config, functional);
          case HieraConfig hiera -> new HieraEncoder(weights, hiera, config, functional);
        };
    weights.requireQuantized();
    noMemEmbed =
        config.kind() == SamConfig.Kind.SAM2
            ? Constants.keep(functional, () -> noMemory(weights))
            : null;
    promptEncoder = new PromptEncoder(weights.at("prompt_encoder"), config);
    maskDecoder =
        new MaskDecoder(weights.at("mask_decoder"), config, functional, promptEncoder.densePe());
    tensors.requireAllUsed(config.kind() == SamConfig.Kind.SAM2 ? OF_VIDEO : LEFTOVERS);
  }

  private Tensor noMemory(Weights weights) {
    int c = config.outChans();
    return functional.cast(weights.tensor("no_mem_embed", 1, 1, c)).reshape(c);
  }

  /// Begins to prepare this process for its first image, on a thread of its own, and returns at
  /// once: kernels are compiled, and native libraries loaded. [#load] does so too; call it where
  /// there is time before.
  ///
  /// @return done when it has ended; what goes wrong there does no harm
  public static CompletableFuture<Void> warmUp() {
    return WarmUp.begin(
        "Segment Anything",
        Precision.F32,
        ops -> {
          var sam = new TinySam(new Functional(ops, Functional.fastest(Backend.NATIVE)));
          return new WarmUp.Stages(null, sam::forward, null);
        });
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Sam load(String pathOrName) {
    return load(pathOrName, o -> {});
  }

  /// Loads a model; one of the hub's is fetched if it is not there.
  ///
  /// @param pathOrName what [NamedModels] knows: a path, `tiny-...`, `ORG/MODEL:QUANT`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Sam load(String pathOrName, Consumer<SamOptions> choose) {
    return load(NamedModels.find(pathOrName), choose);
  }

  /// Loads a model with the default options.
  ///
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static Sam load(Path path) {
    return load(path, o -> {});
  }

  /// Loads a model from Meta's .pth file, a safetensors file with the same names, or Hugging Face's
  /// directory.
  ///
  /// @param pathOrName where it lies, or one of [Pretrained#NAMES]
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static Sam load(Path pathOrName, Consumer<SamOptions> choose) {
    try {
      return open(pathOrName, choose);
    } catch (RuntimeException e) {
      throw Interruption.or(e);
    }
  }

  private static Sam open(Path pathOrName, Consumer<SamOptions> choose) {
    var options = new SamOptions();
    Objects.requireNonNull(choose, "what chooses the options is null").accept(options);
    if (options.backend == Backend.NATIVE) {
      var _ = warmUp();
    }
    var checkpoint = Checkpoint.open(NamedModels.find(pathOrName), options.loadMode);
    try {
      Fit.of(checkpoint, Long.MAX_VALUE).require(null, options.force);
      var ops = new Ops(options.backend, options.threads);
      try {
        return new Sam(checkpoint, options, ops);
      } catch (RuntimeException | Error e) {
        ops.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  public SamConfig config() {
    return config;
  }

  /// The checkpoint, which is closed with the model and not otherwise.
  public Checkpoint checkpoint() {
    return checkpoint.lent();
  }

  /// The operations on this model's activations.
  public Functional functional() {
    return functional;
  }

  public ImageEncoder imageEncoder() {
    return imageEncoder;
  }

  public PromptEncoder promptEncoder() {
    return promptEncoder;
  }

  public MaskDecoder maskDecoder() {
    return maskDecoder;
  }

  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  @Override
  public SamPredictor encode(Image image) {
    Objects.requireNonNull(image, "the image is null");
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      return encode(input(image), image.width(), image.height());
    }
  }

  /// An image as the encoder takes it, resized, normalized and padded: (1, imgSize, imgSize, 3) F32
  /// from the workspace.
  public Tensor input(Image image) {
    return preprocess.input(ops, image);
  }

  @Override
  public Map<String, Double> maskGeneratorDefaults() {
    return config.maskGenerator();
  }

  /// Looks at an image that is already resized, normalized and padded.
  ///
  /// @param input (1, imgSize, imgSize, 3) F32
  /// @param width the image's width in pixels before it was resized
  /// @param height likewise
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public SamPredictor encode(Tensor input, int width, int height) {
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var encoded = imageEncoder.encode(functional, input);
      return new SamPredictor(
          this,
          withoutMemory(encoded.embedding()),
          maskDecoder.features(functional, encoded),
          width,
          height);
    }
  }

  /// An embedding (1, G, G, C) as SAM 2 wants it of what has no past, such as an image; in other
  /// models the same.
  public Tensor withoutMemory(Tensor embedding) {
    return noMemEmbed == null ? embedding : functional.add(embedding, noMemEmbed);
  }

  /// `Sam(tiny-sam: 4 blocks of 96, images of 256 x 256, BF16)`.
  @Override
  public String toString() {
    if (ops.owner().isClosed()) {
      return "Sam(%s: closed)".formatted(checkpoint.path().getFileName());
    }
    return "Sam(%s: %d blocks of %d, images of %d x %d, %s)"
        .formatted(
            checkpoint.path().getFileName(),
            config.encoder().depth(),
            config.encoder().embedDim(),
            config.imgSize(),
            config.imgSize(),
            functional.dtype().name());
  }

  /// Ends the threads and unmaps the weights.
  ///
  /// Other threads' calls end at their next operation, which is waited for, with an
  /// [IllegalStateException], `the model is closed`; so does every later use, also of images that
  /// were encoded. A second call does nothing.
  @Override
  public void close() {
    ops.close();
    checkpoint.close();
  }
}
