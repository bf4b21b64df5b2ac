package io.gatun.models.llama;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.nn.RotaryEmbedding;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.KvCache;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// The Llama family's decoder (Touvron et al. 2023, "Llama: Open and Efficient Foundation Language
/// Models"): also Mistral, Mixtral, Qwen2 and Qwen3, which differ in what their blocks hold.
///
/// The weights stay where the checkpoint has them, which must be open as long as the model is used.
public final class Llama {
  private final LlamaConfig config;
  private final Tensor embedTokens;
  private final List<TransformerBlock> layers;
  private final Tensor norm;
  private final Tensor lmHead;
  private final RotaryEmbedding rope;

  /// The model that a checkpoint holds.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing, has another shape than
  ///   the configuration says, or has no place in the model
  public Llama(LlamaConfig config, Checkpoint checkpoint) {
    var weights = new LlamaWeights(config, checkpoint);
    this.config = weights.config();
    long d = config.hiddenSize();
    embedTokens = weights.matrix("model.embed_tokens.weight", config.vocabSize(), d);
    norm = weights.vector("model.norm.weight", d);
    lmHead =
        weights.has("lm_head.weight")
            ? weights.matrix("lm_head.weight", config.vocabSize(), d)
            : embedTokens;
    rope =
        new RotaryEmbedding(
            config.rope(),
            config.headDim(),
            weights.config().ropeInterleaved(),
            weights.ropeDivisors());
    layers = new ArrayList<>();
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      layers.add(new TransformerBlock(weights, i));
    }
    weights.requireAllUsed();
  }

  public LlamaConfig config() {
    return config;
  }

  /// A cache for one conversation of up to `capacity` positions.
  public KvCache newCache(DType.Plain dtype, int capacity) {
    return new KvCache(
        config.numHiddenLayers(), config.numKeyValueHeads(), config.headDim(), dtype, capacity);
  }

  /// The final, normalized hidden states (T, D) of `ids`, the first of which stands at `position`;
  /// the cache holds the positions before and takes in these.
  ///
  ///     x = embed(ids);  x = block(x) for each layer;  rmsNorm(x)
  ///
  /// The result and all in between come from the workspace: close a scope around the step.
  public Tensor forward(Ops ops, int[] ids, int position, KvCache cache) {
    return forward(ops, ids, position, cache, x -> {});
  }

  /// As [#forward(Ops, int[], int, KvCache)], showing `probe` the residual stream (T, D) after the
  /// embedding and after each layer.
  public Tensor forward(Ops ops, int[] ids, int position, KvCache cache, Consumer<Tensor> probe) {
    var x = ops.embedding(ids, embedTokens); // (T, D)
    probe.accept(x);
    var table = rope.table(ops, position, ids.length);
    for (int i = 0; i < layers.size(); i++) {
      layers.get(i).forward(ops, x, i, position, table, cache);
      probe.accept(x);
    }
    return ops.rmsNorm(x, norm, config.rmsNormEps());
  }

  /// The logits (T, V) of hidden states (T, D).
  public Tensor logits(Ops ops, Tensor hidden) {
    return ops.linear(hidden, lmHead);
  }

  /// The weights that one decoded token is multiplied with, as [#bytesPerToken()] counts them.
  public long weightsPerToken() {
    return lmHead.size() + layers.stream().mapToLong(TransformerBlock::weightsPerToken).sum();
  }

  /// The bytes of weights that one decoded token reads: all but the embedding table (unless it is
  /// also the output), and of a mixture only the experts used.
  public long bytesPerToken() {
    return lmHead.byteSize() + layers.stream().mapToLong(TransformerBlock::bytesPerToken).sum();
  }

  /// One layer of the stack.
  ///
  ///     h = x + attention(rmsNorm(x));  y = h + feedForward(rmsNorm(h))
  private static final class TransformerBlock {
    private final Tensor inputLayernorm;
    private final Attention selfAttn;
    private final Tensor postAttentionLayernorm;
    private final FeedForward mlp;
    private final float eps;
    private final boolean interleaved;

    TransformerBlock(LlamaWeights weights, int layer) {
      var config = weights.config();
      long d = config.hiddenSize();
      inputLayernorm = weights.vector("model.layers.%d.input_layernorm.weight", d, layer);
      selfAttn = new Attention(weights, layer);
      postAttentionLayernorm =
          weights.vector("model.layers.%d.post_attention_layernorm.weight", d, layer);
      mlp = config.numLocalExperts() > 0 ? new SparseMoe(weights, layer) : new Mlp(weights, layer);
      eps = config.rmsNormEps();
      interleaved = config.ropeInterleaved();
    }

    void forward(
        Ops ops, Tensor x, int layer, int position, RotaryEmbedding.Table rope, KvCache cache) {
      try (var _ = ops.scope()) {
        var normed = ops.normed(x, inputLayernorm, eps);
        ops.addInPlace(x, selfAttn.forward(ops, normed, layer, position, rope, interleaved, cache));
      }
      try (var _ = ops.scope()) {
        ops.addInPlace(x, mlp.forward(ops, ops.normed(x, postAttentionLayernorm, eps)));
      }
    }

    long bytesPerToken() {
      return selfAttn.bytesPerToken() + mlp.bytesPerToken();
    }

    long weightsPerToken() {
      return selfAttn.weightsPerToken() + mlp.weightsPerToken();
    }
  }
}
