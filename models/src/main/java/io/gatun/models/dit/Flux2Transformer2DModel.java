package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/// FLUX.2's transformer (Black Forest Labs 2025), which predicts the velocity from an image to
/// noise: as FLUX.1's, but all blocks of a kind share one modulation, feed-forward parts are
/// SwiGLU, and nothing has a bias.
public final class Flux2Transformer2DModel {
  private static final int AXES = 4;

  /// How far references lie from each other on the first axis.
  private static final int LEVEL = 10;

  private final Flux2Config config;
  private final AxialRope rope;
  private final LinearWeight timestep1;
  private final LinearWeight timestep2;
  private final LinearWeight doubleStreamModulationImg;
  private final LinearWeight doubleStreamModulationTxt;
  private final LinearWeight singleStreamModulation;
  private final LinearWeight xEmbedder;
  private final LinearWeight contextEmbedder;
  private final List<JointTransformerBlock> transformerBlocks = new ArrayList<>();
  private final List<SingleBlock> singleTransformerBlocks = new ArrayList<>();
  private final LastLayer lastLayer;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public Flux2Transformer2DModel(Flux2Config config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int d = config.width();
    int heads = config.numAttentionHeads();
    rope = new AxialRope(config.axesDimsRope(), config.ropeTheta());
    var time = weights.at("time_guidance_embed.timestep_embedder");
    timestep1 = time.linearWithoutBias("linear_1", d, config.timestepGuidanceChannels());
    timestep2 = time.linearWithoutBias("linear_2", d, d);
    doubleStreamModulationImg =
        weights.linearWithoutBias("double_stream_modulation_img.linear", 6L * d, d);
    doubleStreamModulationTxt =
        weights.linearWithoutBias("double_stream_modulation_txt.linear", 6L * d, d);
    singleStreamModulation =
        weights.linearWithoutBias("single_stream_modulation.linear", 3L * d, d);
    xEmbedder = weights.linearWithoutBias("x_embedder", d, config.inChannels());
    contextEmbedder = weights.linearWithoutBias("context_embedder", d, config.jointAttentionDim());
    for (int i = 0; i < config.numLayers(); i++) {
      var block = weights.at("transformer_blocks", i);
      transformerBlocks.add(
          new JointTransformerBlock(
              new JointAttention(block.at("attn"), d, heads, false, true, true),
              null,
              GatedMlp.ofFused(block.at("ff"), d, config.mlpWidth()),
              GatedMlp.ofFused(block.at("ff_context"), d, config.mlpWidth())));
    }
    for (int i = 0; i < config.numSingleLayers(); i++) {
      singleTransformerBlocks.add(
          new SingleBlock(config, weights.at("single_transformer_blocks", i).at("attn")));
    }
    lastLayer =
        new LastLayer(
            weights.linearWithoutBias("norm_out.linear", 2L * d, d),
            weights.linearWithoutBias("proj_out", config.inChannels(), d));
  }

  public Flux2Config config() {
    return config;
  }

  /// The predicted velocity in latents at a time.
  ///
  ///     temb = time(t);  c = contextEmbedder(states);  x = xEmbedder(sample)
  ///     c, x = block(c, x) for each block;  [c, x] = single([c, x]) for each single block
  ///     projOut(norm(x) * (1 + scale) + shift)
  ///
  /// @param sample patches of latents (H, W, C), F32
  /// @param references the same of pictures without noise that it sees, each of its own size
  /// @param timestep 0 (no noise) to 1000
  /// @param states the text's hidden states (S, jointAttentionDim) of any plain type
  /// @param probe is shown what each part gives, by its name
  /// @return (H, W, C), F32
  public Tensor forward(
      Functional f,
      Tensor sample,
      List<Tensor> references,
      double timestep,
      Tensor states,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var temb = time(f, timestep); // (1, D)
          probe.accept("time_guidance_embed", temb);
          var silu = f.activate(temb, Activation.SILU);
          var image = modulations(f, silu, doubleStreamModulationImg, "img", probe);
          var context = modulations(f, silu, doubleStreamModulationTxt, "txt", probe);
          var single = f.linear(silu, singleStreamModulation);
          probe.accept("single_stream_modulation", single);
          var c = f.linear(f.cast(states), contextEmbedder); // (S, D)
          probe.accept("context_embedder", c);
          long tokens = sample.dim(0) * sample.dim(1);
          var patches = f.cast(sample.reshape(tokens, sample.dim(2)));
          for (var reference : references) {
            long more = reference.dim(0) * reference.dim(1);
            patches = Rows.join(f, patches, f.cast(reference.reshape(more, reference.dim(2))));
          }
          var x = f.linear(patches, xEmbedder); // (T, D)
          probe.accept("x_embedder", x);
          long text = c.dim(0);
          var table = rope.table(f, places(text, sample, references));
          var all = Rows.join(f, c, x); // (S + T, D)
          for (int i = 0; i < transformerBlocks.size(); i++) {
            String name = "transformer_blocks." + i;
            all =
                transformerBlocks
                    .get(i)
                    .forward(
                        f,
                        all,
                        text,
                        context,
                        image,
                        table,
                        (part, y) -> probe.accept(name + part, y));
          }
          var modulation =
              Modulation.ofParts(f, f.toF32(single).toFloats(), config.width()).getFirst();
          for (int i = 0; i < singleTransformerBlocks.size(); i++) {
            all = singleTransformerBlocks.get(i).forward(f, all, modulation, table);
            probe.accept("single_transformer_blocks." + i, all);
          }
          var out = lastLayer.forward(f, all.slice(0, text, text + tokens), silu, probe);
          return out.reshape(sample.shape().dims());
        });
  }

  private Tensor time(Functional f, double timestep) {
    double[] value = {timestep};
    int size = config.timestepGuidanceChannels();
    var sinusoids = TimestepEmbedding.sinusoids(f, value, size, true, 0);
    return f.linear(f.linear(sinusoids, timestep1, Epilogue.of(Activation.SILU)), timestep2);
  }

  private List<Modulation> modulations(
      Functional f,
      Tensor silu,
      LinearWeight linear,
      String kind,
      BiConsumer<String, Tensor> probe) {
    var values = f.linear(silu, linear);
    probe.accept("double_stream_modulation_" + kind, values);
    return Modulation.ofParts(f, f.toF32(values).toFloats(), config.width());
  }

  /// The text's tokens follow each other on the last axis; the image's have their row and column,
  /// those of references on levels of their own.
  private static List<int[]> places(long text, Tensor sample, List<Tensor> references) {
    var places = new ArrayList<int[]>();
    for (int i = 0; i < text; i++) {
      int[] place = new int[AXES];
      place[AXES - 1] = i;
      places.add(place);
    }
    addPlaces(0, sample, places);
    for (int i = 0; i < references.size(); i++) {
      addPlaces(LEVEL * (i + 1), references.get(i), places);
    }
    return places;
  }

  private static void addPlaces(int level, Tensor image, List<int[]> to) {
    for (int y = 0; y < image.dim(0); y++) {
      for (int x = 0; x < image.dim(1); x++) {
        to.add(new int[] {level, y, x, 0});
      }
    }
  }

  /// Attention and a feed-forward part beside it, which share the first and the last matrix.
  private static final class SingleBlock {
    private static final float EPS = 1e-6f;

    private final int heads;
    private final Projections attn;
    private final LinearWeight gate;
    private final LinearWeight up;
    private final LinearWeight toOut;

    SingleBlock(Flux2Config config, Weights weights) {
      heads = config.numAttentionHeads();
      long d = config.width();
      long h = config.mlpWidth();
      int headDim = config.attentionHeadDim();
      var in = weights.linearsOfRows("to_qkv_mlp_proj", d, d, d, d, h, h);
      attn =
          new Projections(
              in.get(0),
              in.get(1),
              in.get(2),
              weights.rmsNorm("norm_q", headDim, EPS),
              weights.rmsNorm("norm_k", headDim, EPS),
              headDim);
      gate = in.get(3);
      up = in.get(4);
      toOut = weights.linearWithoutBias("to_out", d, d + h);
    }

    /// n = norm(x) * scale + shift; x + gate * toOut([attn(n), silu(g(n)) * u(n)])
    Tensor forward(Functional f, Tensor x, Modulation modulation, AxialRope.Table rope) {
      return Scoped.call(
          f,
          () -> {
            var n = modulation.norm(f, x);
            var seen =
                Heads.attention(
                    f,
                    rope.turn(f, attn.queries(f, n), null),
                    rope.turn(f, attn.keys(f, n), null),
                    attn.values(f, n),
                    heads);
            var gates = f.linear(n, gate, Epilogue.of(Activation.SILU));
            var mlp = f.mul(gates, f.linear(n, up));
            return modulation.gated(f, x, f.linear(f.concat(seen, mlp), toOut));
          });
    }
  }
}
