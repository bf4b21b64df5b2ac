package io.gatun.models.decoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.WarmUp;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.LayerState;
import io.gatun.tensor.sequence.Span;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.regex.Pattern;

/// A decoder-only language model: embedding, layers, output.
///
/// The weights stay where the checkpoint has them, which must be open as long as the model is used.
public final class Decoder {
  /// Rows of logits that are made at a time.
  private static final int LOGITS = 64;

  private final Config config;
  private final DecoderWeights weights;
  private final Tensor embedTokens;
  private final Norm embeddingScale;
  private final List<DecoderLayer> layers = new ArrayList<>();
  private final List<RotaryEmbedding> ropes;
  private final Norm norm;
  private final Tensor lmHead;
  private final Output output;
  private final List<LayerState> states = new ArrayList<>();
  private final IdentityHashMap<TokenMixer, Integer> parts = new IdentityHashMap<>();

  /// What becomes of the logits.
  ///
  /// @param scale what they are multiplied by, 1 for nothing
  /// @param softcap what they stay below, as `softcap * tanh(logits / softcap)`; 0 for nothing
  public record Output(float scale, float softcap) {
    /// Leaves them as they are.
    public static final Output PLAIN = new Output(1, 0);
  }

  /// A model whose layers are made one by one.
  ///
  /// @param embeddingScale what the embeddings are multiplied by
  /// @param ropes those that the layers use
  /// @param norm the last one
  public Decoder(
      Config config,
      DecoderWeights weights,
      float embeddingScale,
      List<RotaryEmbedding> ropes,
      IntFunction<DecoderLayer> layers,
      Norm norm,
      Output output) {
    this.config = config;
    this.weights = weights;
    this.ropes = ropes;
    this.norm = norm;
    this.output = output;
    this.embeddingScale = embeddingScale == 1 ? Norm.none() : new Norm.Scale(embeddingScale);
    long v = config.vocabSize();
    long d = config.hiddenSize();
    boolean tied = !weights.has("lm_head.weight");
    // A table is looked up in; only as output it is read whole.
    embedTokens = weights.shared(tied ? 1 : 0).matrix("model.embed_tokens", v, d);
    lmHead = tied ? embedTokens : weights.matrix("lm_head", v, d);
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      var layer = layers.apply(i);
      this.layers.add(layer);
      for (var mixer : layer.mixers()) {
        parts.put(mixer, states.size());
        states.add(mixer.state());
      }
    }
  }

  /// The model of a checkpoint.
  ///
  /// @param others the names of tensors that have another place than the model
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing, has another shape than
  ///   the configuration says, or has no place in the model; or a key is missing or not understood
  public static Decoder of(
      Checkpoint checkpoint, Keys keys, Architecture architecture, Pattern others) {
    var weights = DecoderWeights.of(checkpoint, keys, architecture.ggufNames());
    Completeness.requirePromised(keys, weights);
    var decoder = architecture.build(keys, weights);
    Config.requireAllRead(keys);
    weights.requireAllUsed(others);
    return decoder;
  }

  public Config config() {
    return config;
  }

  /// The names of the tensors that it is made of.
  public TensorNames names() {
    return weights.names();
  }

  /// The names of matrices that it reads in parts, which tiles do not allow.
  public Set<String> readInParts() {
    return weights.split();
  }

  /// The names of tensors that hold a matrix of each expert, and whether those are stored with
  /// their inputs as rows.
  public Map<String, Boolean> expertStacks() {
    return weights.stacks();
  }

  /// What it keeps of each sequence, keys and values as `dtype`.
  public CacheLayout layout(DType.Plain dtype) {
    return new CacheLayout(states, dtype);
  }

  /// The final, normalized hidden states (W, D) of the rows that a batch wants. The sequences hold
  /// what came before, and take in the batch's tokens.
  ///
  ///     x = embed(ids);  x = layer(x) for each layer;  norm(x[wanted])
  ///
  /// The result and all in between come from the workspace: close a scope around the step. If it
  /// ends early, no sequence has become longer, and recurrent states are lost ([Sequence]).
  ///
  /// @throws io.gatun.tensor.sequence.KvPool.Exhausted if there is no room for the tokens; nothing has
  ///   changed
  public Tensor forward(Ops ops, Batch batch) {
    return forward(ops, batch, x -> {});
  }

  /// As [#forward(Ops, Batch)], showing `probe` the residual stream (T, D) after the embedding and
  /// after each layer.
  public Tensor forward(Ops ops, Batch batch, Consumer<Tensor> probe) {
    WarmUp.await(batch.ids().length);
    try (var _ = Span.claim(batch.spans())) {
      for (var span : batch.spans()) {
        if (span.position() != span.sequence().length()) {
          throw new IllegalArgumentException(
              "a span begins at position %d of a sequence that holds %d; need the next"
                  .formatted(span.position(), span.sequence().length()));
        }
        span.sequence().reserve(span.rows());
      }
      batch.spans().forEach(span -> span.sequence().begin());
      var x = embed(ops, batch.ids()); // (T, D)
      probe.accept(x);
      var step = new Step(ops, batch, parts, ropes);
      for (var layer : layers) {
        layer.forward(ops, x, step);
        probe.accept(x);
      }
      var wanted = wanted(ops, x, batch.wanted());
      batch.spans().forEach(span -> span.sequence().advance(span.rows()));
      WarmUp.stepped();
      return wanted;
    }
  }

  /// The residual stream (T, D) before the first layer.
  public Tensor embed(Ops ops, int[] ids) {
    return embeddingScale.of(ops, ops.embedding(ids, embedTokens));
  }

  /// Whether layers need nothing that earlier ones have left but the residual stream.
  public boolean layersStandAlone() {
    return states.stream().noneMatch(LayerState.SharedWith.class::isInstance)
        && layers.stream()
            .noneMatch(l -> l instanceof PerLayerEmbeddings.Layer p && p.embeddings() != null);
  }

  /// Runs one layer alone on the residual stream x (T, D) of a batch, in place: for work that goes
  /// through a model layer by layer, text by text. The sequences, which should be new, do not
  /// become longer.
  ///
  /// @throws IllegalStateException unless [#layersStandAlone()]
  public void forward(Ops ops, int layer, Batch batch, Tensor x) {
    if (!layersStandAlone()) {
      throw new IllegalStateException("the layers of this model cannot run one by one");
    }
    try (var _ = Span.claim(batch.spans())) {
      batch.spans().forEach(span -> span.sequence().reserve(span.rows()));
      batch.spans().forEach(span -> span.sequence().begin());
      layers.get(layer).forward(ops, x, new Step(ops, batch, parts, ropes));
    }
  }

  /// The final, normalized hidden states (T, D) of the residual stream behind the last layer.
  public Tensor hidden(Ops ops, Tensor x) {
    return norm.of(ops, x);
  }

  private Tensor wanted(Ops ops, Tensor x, int[] rows) {
    return switch (rows.length) {
      case 0 -> ops.empty(0, x.dim(1));
      case 1 -> norm.of(ops, x.slice(0, rows[0], rows[0] + 1));
      default -> norm.of(ops, ops.gatherRows(x, rows));
    };
  }

  /// The logits (T, V) of hidden states (T, D).
  public Tensor logits(Ops ops, Tensor hidden) {
    var logits = ops.linear(hidden, lmHead);
    if (output.scale != 1) {
      logits = new Norm.Scale(output.scale).of(ops, logits);
    }
    if (output.softcap > 0) {
      ops.softcap(logits, output.softcap);
    }
    return logits;
  }

  /// Takes the logits (n, V) of some rows, which are gone afterwards.
  public interface Block {
    void take(int first, Tensor logits);
  }

  /// Makes the logits of hidden states (T, D), 64 rows at a time: with 128,000 tokens in the
  /// vocabulary, 33 MB.
  public void logits(Ops ops, Tensor hidden, Block block) {
    int n = Math.toIntExact(hidden.dim(0));
    for (int from = 0; from < n; from += LOGITS) {
      int to = Math.min(n, from + LOGITS);
      try (var _ = ops.scope()) {
        block.take(from, logits(ops, from == 0 && to == n ? hidden : hidden.slice(0, from, to)));
      }
    }
  }

  /// The logits (T, n) of n tokens alone.
  public Tensor logits(Ops ops, Tensor hidden, int[] tokens) {
    return ops.linear(hidden, ops.embedding(tokens, lmHead));
  }

  /// Whether tokens also see what comes after them, in one step: such a model reads whole texts.
  public boolean isBidirectional() {
    return parts.keySet().stream()
        .anyMatch(mixer -> mixer instanceof SelfAttention s && s.spec().bidirectional());
  }

  /// The weights that one decoded token is multiplied with, as [#bytesPerToken()] counts them.
  public long weightsPerToken() {
    return weights.weightsPerToken();
  }

  /// The bytes of weights that one decoded token reads: all but the embedding table (unless it is
  /// also the output), and of a mixture only the experts used.
  public long bytesPerToken() {
    return weights.bytesPerToken();
  }
}
