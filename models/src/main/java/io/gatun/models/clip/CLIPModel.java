package io.gatun.models.clip;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.NamedModels;
import io.gatun.models.image.Image;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/// CLIP: texts and images as vectors of one space, in which an image lies near the texts that
/// describe it.
///
/// ```java
/// try (var clip = CLIPModel.load(Path.of("openai/clip-vit-base-patch32"), Backend.NATIVE, 2)) {
///   float[] cat = clip.text("a photo of a cat");
///   float[] image = clip.images(List.of(Image.read(Path.of("photo.jpg"))))[0];
/// }
/// ```
///
/// How well they fit is the cosine of their vectors. Any thread may use it: calls from several
/// threads take turns.
public final class CLIPModel implements AutoCloseable {
  /// Images whose vectors are made together.
  private static final int BATCH = 16;

  private static final Pattern LEFTOVERS = Pattern.compile(".*position_ids$");

  private static final Pattern HARMLESS =
      Pattern.compile("logit_scale_init_value|projection_dim|(text|vision)_config_dict");

  private final Checkpoint checkpoint;
  private final Ops ops;
  private final Functional f;
  private final ClipTokenizer tokenizer;
  private final ClipImages preprocessor;
  private final CLIPTextModel textModel;
  private final LinearWeight textProjection;
  private final CLIPVisionModel visionModel;
  private final LayerNorm postLayerNorm;
  private final LinearWeight visualProjection;
  private final float logitScale;
  private final int dimension;

  private CLIPModel(Checkpoint checkpoint, Path directory, Ops ops, DType.Plain dtype) {
    this.checkpoint = checkpoint;
    this.ops = ops;
    f = new Functional(ops, dtype);
    var keys = JsonKeys.read(directory.resolve("config.json"));
    keys.require("model_type", "clip", "");
    dimension = keys.count("projection_dim", 512);
    var textKeys = keys.section("text_config");
    var visionKeys = keys.section("vision_config");
    var textConfig = CLIPTextConfig.section(textKeys, dimension);
    var visionConfig = CLIPVisionConfig.section(visionKeys);
    for (var part : List.of(keys, textKeys, visionKeys)) {
      part.requireAllRead(HARMLESS);
    }
    tokenizer = ClipTokenizer.load(directory);
    preprocessor = ClipImages.of(directory, visionConfig.imageSize());
    var tensors = new UsedTensors(checkpoint);
    var weights = Weights.of(tensors, WeightNames.SAME).because("config.json says so");
    textModel = new CLIPTextModel(textConfig, weights);
    textProjection =
        weights.linearWithoutBias("text_projection", dimension, textConfig.hiddenSize());
    var vision = weights.at("vision_model");
    int d = visionConfig.hiddenSize();
    visionModel =
        new CLIPVisionModel(
            visionConfig, vision, visionConfig.imageSize(), visionConfig.numHiddenLayers(), f);
    postLayerNorm = vision.layerNorm("post_layernorm", d, visionConfig.layerNormEps());
    visualProjection = weights.linearWithoutBias("visual_projection", dimension, d);
    logitScale = (float) Math.exp(weights.tensor("logit_scale").reshape(1).toFloats()[0]);
    tensors.requireAllUsed(LEFTOVERS);
  }

  /// Loads a model in the fastest type of activations.
  ///
  /// @param pathOrName what [NamedModels] knows: a directory, `openai/clip-vit-base-patch32`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static CLIPModel load(Path pathOrName, Backend backend, int threads) {
    return load(pathOrName, backend, threads, Functional.fastest(backend));
  }

  /// Loads a model from Hugging Face's directory.
  ///
  /// @param dtype of the activations: F32 or BF16
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static CLIPModel load(Path pathOrName, Backend backend, int threads, DType.Plain dtype) {
    return ClipDirectory.load(
        pathOrName,
        "CLIP",
        backend,
        threads,
        (checkpoint, directory, ops) -> new CLIPModel(checkpoint, directory, ops, dtype));
  }

  /// The length of a vector, P.
  public int dimension() {
    return dimension;
  }

  /// What the cosine of a text and an image is multiplied by before the softmax over texts.
  public float logitScale() {
    return logitScale;
  }

  /// The most tokens of a text.
  public int maxTokens() {
    return tokenizer.length() - 2;
  }

  /// The number of tokens of a text, without its beginning and end.
  public int tokens(String text) {
    return tokenizer.count(text);
  }

  /// A text's vector (P), not normalized.
  ///
  /// @throws IllegalArgumentException if the text is too long
  /// @throws IllegalStateException if the model is closed
  public float[] text(String text) {
    var prompt = tokenizer.encode(text);
    if (!prompt.dropped().isEmpty()) {
      throw new IllegalArgumentException(
          "the text has %d tokens; CLIP reads %d: describe the picture in fewer words"
              .formatted(tokens(text), maxTokens()));
    }
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var pooled = textModel.pooledOutput(f, prompt.ids()); // (1, D)
      return vectors("a text's vector", f.linear(pooled, textProjection))[0];
    }
  }

  /// The vectors (B, P) of images, not normalized.
  ///
  /// @throws IllegalStateException if the model is closed
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public float[][] images(List<Image> images) {
    var all = new float[images.size()][];
    for (int from = 0; from < all.length; from += BATCH) {
      var batch = images.subList(from, Math.min(all.length, from + BATCH));
      try (var _ = ops.owner().turn();
          var _ = ops.scope()) {
        var found = embed(preprocessor.input(batch, ops));
        System.arraycopy(found, 0, all, from, found.length);
      }
    }
    return all;
  }

  /// As [#images(List)], of images that are resized and normalized.
  ///
  /// @param input (B, size, size, 3) F32
  public float[][] images(Tensor input) {
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      return embed(input);
    }
  }

  private float[][] embed(Tensor input) {
    var states = visionModel.forward(f, f.cast(input)); // (B, 1 + G G, D)
    long count = states.dim(0);
    long d = states.dim(2);
    var ofClass = f.empty(count, d);
    long row = ofClass.byteSize() / count;
    for (long b = 0; b < count; b++) {
      MemorySegment.copy(
          states.segment(), b * states.byteSize() / count, ofClass.segment(), b * row, row);
    }
    return vectors(
        "an image's vector", f.linear(postLayerNorm.forward(f, ofClass), visualProjection));
  }

  private float[][] vectors(String what, Tensor found) {
    var all = new float[(int) found.dim(0)][];
    for (int i = 0; i < all.length; i++) {
      all[i] = f.toF32(found.slice(0, i, i + 1)).toFloats();
      NotFinite.check(what, all[i], checkpoint);
    }
    return all;
  }

  /// `CLIPModel(clip-vit-base-patch32, vectors of 512)`.
  @Override
  public String toString() {
    return "CLIPModel(%s, vectors of %d)".formatted(checkpoint.path().getFileName(), dimension);
  }

  /// Ends the threads and unmaps the weights; a second call does nothing.
  @Override
  public void close() {
    ops.close();
    checkpoint.close();
  }
}
