package io.gatun.models.dit;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.BiConsumer;

/// Z-Image's transformer (Cai et al. 2025, arXiv:2511.22699), which predicts the velocity from
/// noise to an image: image and text are refined apart, and then go through all layers as one
/// sequence.
public final class ZImageTransformer2DModel {
  static final int PATCH = 2;

  /// Tokens of text and of image are filled up to multiples of this.
  private static final int MULTIPLE = 32;

  private static final int SINUSOIDS = 256;
  private static final int TIME_HIDDEN = 1024;
  private static final int MOST_TIME = 256;

  private final ZImageConfig config;
  private final AxialRope rope;
  private final LinearWeight timeEmbedder0;
  private final LinearWeight timeEmbedder2;
  private final LinearWeight xEmbedder;
  private final Tensor xPadToken;
  private final RmsNorm capEmbedder0;
  private final LinearWeight capEmbedder1;
  private final Tensor capPadToken;
  private final List<ZImageTransformerBlock> noiseRefiner = new ArrayList<>();
  private final List<ZImageTransformerBlock> contextRefiner = new ArrayList<>();
  private final List<ZImageTransformerBlock> layers = new ArrayList<>();
  private final LinearWeight finalModulation;
  private final LinearWeight finalLinear;

  /// What is the same in all steps: the text's refined tokens (S, D).
  public record Caption(Tensor tokens) {}

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public ZImageTransformer2DModel(ZImageConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int d = config.dim();
    int time = Math.min(d, MOST_TIME);
    long patch = (long) PATCH * PATCH * config.inChannels();
    rope = new AxialRope(config.axesDims(), config.ropeTheta());
    timeEmbedder0 = weights.linear("t_embedder.mlp.0", TIME_HIDDEN, SINUSOIDS);
    timeEmbedder2 = weights.linear("t_embedder.mlp.2", time, TIME_HIDDEN);
    xEmbedder = weights.linear("all_x_embedder.2-1", d, patch);
    xPadToken = weights.tensor("x_pad_token", 1, d);
    capEmbedder0 = weights.rmsNorm("cap_embedder.0", config.capFeatDim(), config.normEps());
    capEmbedder1 = weights.linear("cap_embedder.1", d, config.capFeatDim());
    capPadToken = weights.tensor("cap_pad_token", 1, d);
    for (int i = 0; i < config.nRefinerLayers(); i++) {
      noiseRefiner.add(new ZImageTransformerBlock(config, weights.at("noise_refiner", i), time));
      contextRefiner.add(new ZImageTransformerBlock(config, weights.at("context_refiner", i), 0));
    }
    for (int i = 0; i < config.nLayers(); i++) {
      layers.add(new ZImageTransformerBlock(config, weights.at("layers", i), time));
    }
    var last = weights.at("all_final_layer.2-1");
    finalModulation = last.linear("adaLN_modulation.1", d, time);
    finalLinear = last.linear("linear", patch, d);
  }

  public ZImageConfig config() {
    return config;
  }

  /// Makes what is the same in all steps. It lies in the workspace, for as long as the scope stays
  /// open that is open now.
  ///
  /// @param states the text's hidden states (S, capFeatDim) of any plain type
  /// @param probe is shown what each part gives, by its name
  public Caption caption(Functional f, Tensor states, BiConsumer<String, Tensor> probe) {
    return new Caption(
        Scoped.call(
            f,
            () -> {
              var embedded = f.linear(capEmbedder0.forward(f, states), capEmbedder1);
              probe.accept("cap_embedder", embedded);
              var c = filled(f, embedded, capPadToken); // (S, D)
              var table = rope.table(f, textPlaces(c.dim(0)));
              for (int i = 0; i < contextRefiner.size(); i++) {
                c = contextRefiner.get(i).forward(f, c, null, table);
                probe.accept("context_refiner." + i, c);
              }
              return c;
            }));
  }

  /// The predicted velocity in latents at a time.
  ///
  ///     t = time(1000 - timestep);  x = noiseRefiner(xEmbedder(patches(sample)), t)
  ///     [x, c] = layer([x, c], t) for each layer;  linear(norm(x) * (1 + scale(t)))
  ///
  /// @param sample latents (H, W, C), F32
  /// @param timestep 1000 (noise) to 0
  /// @param probe is shown what each part gives, by its name
  /// @return (H, W, C), F32
  public Tensor forward(
      Functional f,
      Tensor sample,
      double timestep,
      Caption caption,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var t = time(f, (1000 - timestep) / 1000);
          probe.accept("t_embedder", t);
          var patches = new Patches(PATCH, false);
          var embedded = f.linear(f.cast(patches.split(f, sample)), xEmbedder);
          var x = filled(f, embedded, xPadToken); // (T, D)
          long text = caption.tokens.dim(0);
          var places = imagePlaces(sample, text, x.dim(0));
          var table = rope.table(f, places);
          for (int i = 0; i < noiseRefiner.size(); i++) {
            x = noiseRefiner.get(i).forward(f, x, t, table);
            probe.accept("noise_refiner." + i, x);
          }
          var tokens = Rows.join(f, x, caption.tokens); // (T + S, D)
          places.addAll(textPlaces(text));
          table = rope.table(f, places);
          for (int i = 0; i < layers.size(); i++) {
            tokens = layers.get(i).forward(f, tokens, t, table);
            probe.accept("layers." + i, tokens);
          }
          var scale = f.linear(f.activate(t, Activation.SILU), finalModulation);
          var modulation = Modulation.ofScale(f, f.toF32(scale).toFloats());
          var image = tokens.slice(0, 0, embedded.dim(0));
          var out = f.toF32(f.linear(modulation.norm(f, image), finalLinear)); // (T, P P C)
          return patches.join(f, out, sample.dim(0), sample.dim(1));
        });
  }

  private Tensor time(Functional f, double t) {
    double[] value = {t * config.tScale()};
    var sinusoids = TimestepEmbedding.sinusoids(f, value, SINUSOIDS, true, 0);
    return f.linear(
        f.linear(sinusoids, timeEmbedder0, Epilogue.of(Activation.SILU)), timeEmbedder2);
  }

  /// Tokens, and after them so many of `fill` that there are a multiple of 32.
  private static Tensor filled(Functional f, Tensor tokens, Tensor fill) {
    int missing = (int) -tokens.dim(0) & MULTIPLE - 1;
    return missing == 0 ? tokens : Rows.join(f, tokens, f.embedding(new int[missing], fill));
  }

  /// The text is at the first places of the first axis, from 1.
  private static List<int[]> textPlaces(long tokens) {
    var places = new ArrayList<int[]>();
    for (int i = 1; i <= tokens; i++) {
      places.add(new int[] {i, 0, 0});
    }
    return places;
  }

  /// The image is behind the text, each patch at its row and column; what fills up is at 0.
  private static List<int[]> imagePlaces(Tensor sample, long text, long tokens) {
    var places = new ArrayList<int[]>();
    for (int y = 0; y < sample.dim(0) / PATCH; y++) {
      for (int x = 0; x < sample.dim(1) / PATCH; x++) {
        places.add(new int[] {(int) text + 1, y, x});
      }
    }
    places.addAll(Collections.nCopies((int) tokens - places.size(), new int[3]));
    return places;
  }
}
