package io.gatun.models.clipseg;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.NamedModels;
import io.gatun.models.clip.CLIPTextModel;
import io.gatun.models.clip.CLIPVisionModel;
import io.gatun.models.clip.ClipDirectory;
import io.gatun.models.clip.ClipTokenizer;
import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
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
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// CLIPSeg (Lueddecke and Ecker 2022): where in an image a text is about.
///
/// ```java
/// try (var clipSeg = CLIPSeg.load(Path.of("clipseg-rd64-refined"))) {
///   var place = clipSeg.heat(image, "a dog").likeliest(image.width(), image.height());
///   Prompt.point(place.x(), place.y());
/// }
/// ```
///
/// Any thread may use it: calls from several threads take turns.
public final class CLIPSeg implements AutoCloseable {
  private static final float[] MEAN = {0.485f, 0.456f, 0.406f};
  private static final float[] STD = {0.229f, 0.224f, 0.225f};

  /// Of CLIP what only compares texts and images, layers that nothing reads, and positions'
  /// numbers.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          "clip\\.(logit_scale|visual_projection|vision_model\\.post_layernorm"
              + "|vision_model\\.encoder\\.layers)|.*position_ids$");

  private final Checkpoint checkpoint;
  private final CLIPSegConfig config;
  private final Ops ops;
  private final Functional f;
  private final ClipTokenizer tokenizer;
  private final CLIPTextModel textModel;
  private final LinearWeight textProjection;
  private final CLIPVisionModel vision;
  private final Decoder decoder;

  private CLIPSeg(Checkpoint checkpoint, Path directory, Ops ops, DType.Plain dtype) {
    this.checkpoint = checkpoint;
    this.ops = ops;
    config = CLIPSegConfig.of(directory);
    f = new Functional(ops, dtype);
    tokenizer = ClipTokenizer.load(directory);
    var tensors = new UsedTensors(checkpoint);
    var weights = Weights.of(tensors, WeightNames.SAME).because("config.json says so");
    var clip = weights.at("clip");
    textModel = new CLIPTextModel(config.text(), clip);
    textProjection =
        clip.linearWithoutBias(
            "text_projection", config.projectionDim(), config.text().hiddenSize());
    int depth = 1 + Collections.max(config.extractLayers());
    vision = new CLIPVisionModel(config.vision(), clip.at("vision_model"), config.size(), depth, f);
    decoder = new Decoder(weights.at("decoder"), config);
    tensors.requireAllUsed(LEFTOVERS);
  }

  /// Loads a model in the fastest type of activations.
  ///
  /// @param pathOrName what [NamedModels] knows: a directory, `CIDAS/clipseg-rd64-refined`
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static CLIPSeg load(Path pathOrName, Backend backend, int threads) {
    return load(pathOrName, backend, threads, Functional.fastest(backend));
  }

  /// Loads a model from Hugging Face's directory.
  ///
  /// @param dtype of the activations: F32 or BF16
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static CLIPSeg load(Path pathOrName, Backend backend, int threads, DType.Plain dtype) {
    return ClipDirectory.load(
        pathOrName,
        "CLIPSeg",
        backend,
        threads,
        (checkpoint, directory, ops) -> new CLIPSeg(checkpoint, directory, ops, dtype));
  }

  /// How likely the pixels of an image are what a text says.
  ///
  /// @throws IllegalStateException if the model is closed
  /// @throws CheckpointException if the model's answer is no number (NaN)
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public HeatMap heat(Image image, String text) {
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      return heat(input(image), text);
    }
  }

  /// As [#heat(Image, String)], of an image that is resized and normalized.
  ///
  /// @param input (1, size, size, 3) F32
  public HeatMap heat(Tensor input, String text) {
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var prompt = tokenizer.encode(text);
      if (prompt.ids().length > 1 || !prompt.dropped().isEmpty()) {
        throw new IllegalArgumentException(
            "the text \"%s\" is longer than %d tokens; need one object in a few words"
                .formatted(text, config.text().maxPositionEmbeddings() - 2));
      }
      int[][] ids = {prompt.ids()[0]};
      var conditional = f.linear(textModel.pooledOutput(f, ids), textProjection); // (1, P)
      var states = new ArrayList<Tensor>();
      vision.forward(f, f.cast(input), states::add);
      var read =
          IntStream.range(0, states.size())
              .filter(config.extractLayers()::contains)
              .mapToObj(states::get)
              .toList();
      float[] logits = decoder.forward(f, read, conditional);
      NotFinite.check("the heat map", logits, checkpoint);
      return new HeatMap(config.size(), logits);
    }
  }

  private Tensor input(Image image) {
    int side = config.size();
    var pixels = image.rgb().resize(side, side, Filter.BILINEAR, ops.workers()).pixels();
    var input = ops.empty(1, side, side, 3);
    for (long i = 0; i < input.size(); i++) {
      int c = (int) (i % 3);
      float value = (pixels.get(ValueLayout.JAVA_BYTE, i) & 0xFF) / 255f;
      input.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (value - MEAN[c]) / STD[c]);
    }
    return input;
  }

  /// Ends the threads and unmaps the weights; a second call does nothing.
  @Override
  public void close() {
    ops.close();
    checkpoint.close();
  }
}
