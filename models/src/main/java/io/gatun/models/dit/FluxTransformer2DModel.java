package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/// FLUX.1's transformer (Black Forest Labs 2024), which predicts the velocity from an image to
/// noise: blocks in which text and image have weights of their own, then blocks in which they share
/// them.
public final class FluxTransformer2DModel {
  private static final double THETA = 10_000;

  private final FluxConfig config;
  private final AxialRope rope;
  private final TimeTextEmbedding timeTextEmbed;
  private final LinearWeight contextEmbedder;
  private final LinearWeight xEmbedder;
  private final List<JointTransformerBlock> transformerBlocks = new ArrayList<>();
  private final List<AdaLayerNorm> norm1 = new ArrayList<>();
  private final List<AdaLayerNorm> norm1Context = new ArrayList<>();
  private final List<SingleBlock> singleTransformerBlocks = new ArrayList<>();
  private final LastLayer lastLayer;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public FluxTransformer2DModel(FluxConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.reason());
    int d = config.width();
    int heads = config.numAttentionHeads();
    rope = new AxialRope(config.axesDimsRope(), THETA);
    timeTextEmbed =
        new TimeTextEmbedding(
            weights.at("time_text_embed"),
            config.pooledProjectionDim(),
            d,
            config.guidanceEmbeds());
    contextEmbedder = weights.linear("context_embedder", d, config.jointAttentionDim());
    xEmbedder = weights.linear("x_embedder", d, config.inChannels());
    for (int i = 0; i < config.numLayers(); i++) {
      var block = weights.at("transformer_blocks", i);
      norm1.add(AdaLayerNorm.ofParts(block.at("norm1"), d, 2));
      norm1Context.add(AdaLayerNorm.ofParts(block.at("norm1_context"), d, 2));
      transformerBlocks.add(
          new JointTransformerBlock(
              new JointAttention(block.at("attn"), d, heads, true, true, true),
              null,
              new FeedForward(block.at("ff"), d),
              new FeedForward(block.at("ff_context"), d)));
    }
    for (int i = 0; i < config.numSingleLayers(); i++) {
      singleTransformerBlocks.add(
          new SingleBlock(weights.at("single_transformer_blocks", i), d, heads));
    }
    lastLayer =
        new LastLayer(
            weights.linear("norm_out.linear", 2L * d, d),
            weights.linear("proj_out", config.inChannels(), d));
  }

  public FluxConfig config() {
    return config;
  }

  /// The predicted velocity in latents at a time.
  ///
  ///     temb = time(t) + guidance + text(pooled);  c = contextEmbedder(states)
  ///     x = xEmbedder(patches(sample));  c, x = block(c, x, temb) for each block
  ///     [c, x] = single([c, x], temb) for each single block
  ///     projOut(norm(x) * (1 + scale) + shift)
  ///
  /// @param sample latents (H, W, C), F32
  /// @param timestep 0 (no noise) to 1000
  /// @param guidance how strongly the prompt guides, for networks that are told
  /// @param states the text's hidden states (S, jointAttentionDim) of any plain type
  /// @param pooled the text's embedding (1, pooledProjectionDim) of any plain type
  /// @param probe is shown what each part gives, by its name
  /// @return (H, W, C), F32
  public Tensor forward(
      Functional f,
      Tensor sample,
      double timestep,
      double guidance,
      Tensor states,
      Tensor pooled,
      BiConsumer<String, Tensor> probe) {
    return Scoped.call(
        f,
        () -> {
          var temb = timeTextEmbed.forward(f, timestep, guidance, pooled); // (1, D)
          probe.accept("time_text_embed", temb);
          var silu = f.activate(temb, Activation.SILU);
          var context = f.linear(f.cast(states), contextEmbedder); // (S, D)
          probe.accept("context_embedder", context);
          var patches = new Patches(2, true);
          var x = f.linear(f.cast(patches.split(f, sample)), xEmbedder); // (T, D)
          probe.accept("x_embedder", x);
          int text = (int) context.dim(0);
          var table = rope.table(f, places(text, sample));
          var tokens = Rows.join(f, context, x); // (S + T, D)
          for (int i = 0; i < transformerBlocks.size(); i++) {
            tokens = block(f, i, tokens, text, silu, table, probe);
          }
          for (int i = 0; i < singleTransformerBlocks.size(); i++) {
            tokens = singleTransformerBlocks.get(i).forward(f, tokens, silu, table);
            probe.accept("single_transformer_blocks.%d.0".formatted(i), tokens.slice(0, 0, text));
            probe.accept("single_transformer_blocks.%d.1".formatted(i), Rows.after(tokens, text));
          }
          var out = lastLayer.forward(f, Rows.after(tokens, text), silu, probe);
          return patches.join(f, out, sample.dim(0), sample.dim(1));
        });
  }

  private Tensor block(
      Functional f,
      int i,
      Tensor tokens,
      int text,
      Tensor silu,
      AxialRope.Table table,
      BiConsumer<String, Tensor> probe) {
    String name = "transformer_blocks." + i;
    return Scoped.call(
        f,
        () ->
            transformerBlocks
                .get(i)
                .forward(
                    f,
                    tokens,
                    text,
                    norm1Context.get(i).of(f, silu),
                    norm1.get(i).of(f, silu),
                    table,
                    (part, y) -> probe.accept(name + part, y)));
  }

  /// The text is at one place; the image's patches are at their row and column.
  private static List<int[]> places(int text, Tensor sample) {
    var places = new ArrayList<int[]>();
    for (int i = 0; i < text; i++) {
      places.add(new int[3]);
    }
    for (int y = 0; y < sample.dim(0) / 2; y++) {
      for (int x = 0; x < sample.dim(1) / 2; x++) {
        places.add(new int[] {0, y, x});
      }
    }
    return places;
  }

  /// Attention and a feed-forward part beside it, whose results one layer adds up.
  private static final class SingleBlock {
    private final int heads;
    private final AdaLayerNorm norm;
    private final Projections attn;
    private final LinearWeight projMlp;
    private final LinearWeight projOut;

    SingleBlock(Weights weights, int d, int heads) {
      this.heads = heads;
      norm = AdaLayerNorm.ofParts(weights.at("norm"), d, 1);
      attn = Projections.ofImage(weights.at("attn"), d, d / heads, true, true);
      projMlp = weights.linear("proj_mlp", 4L * d, d);
      projOut = weights.linear("proj_out", d, 5L * d);
    }

    /// n = norm(x) * scale + shift; x + gate * projOut([attn(n), gelu(projMlp(n))])
    Tensor forward(Functional f, Tensor x, Tensor silu, AxialRope.Table rope) {
      return Scoped.call(
          f,
          () -> {
            var modulation = norm.of(f, silu).getFirst();
            var n = modulation.norm(f, x);
            var seen =
                Heads.attention(
                    f,
                    rope.turn(f, attn.queries(f, n), null),
                    rope.turn(f, attn.keys(f, n), null),
                    attn.values(f, n),
                    heads);
            var mlp = f.linear(n, projMlp, Epilogue.of(Activation.GELU_TANH));
            return modulation.gated(f, x, f.linear(f.concat(seen, mlp), projOut));
          });
    }
  }
}
