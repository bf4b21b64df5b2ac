package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.WarmUp;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.Arena;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// The smallest network that does what decoders with weights of one type do, for [WarmUp].
public final class TinyDecoder {
  /// The least K.
  private static final int LEAST = 64;

  /// C, the size of a head.
  private static final int HEAD = 32;

  /// Query heads, which all share keys and values.
  private static final int HEADS = 8;

  /// Makes small numbers that are not 0 of every type: what is always 0 would be compiled as if it
  /// were nothing else.
  private static final byte BYTE = 0x3E;

  /// Tokens of a prompt that is too short for matrix products, of which four, two and one are
  /// multiplied together.
  private static final int PROMPT = 7;

  /// Elements of memory that is not the heap's.
  private static final long LARGE = 1 << 20;

  /// Products at a time.
  private static final int PRODUCTS = 8;

  private final Ops ops;
  private final DType type;
  private final Arena arena = Arena.ofAuto();
  private final int size;
  private final Tensor embedTokens;
  private final Tensor row;
  private final RotaryEmbedding rope = new RotaryEmbedding(RopeConfig.of(1e4), HEAD, false);
  private final IdentityHashMap<TokenMixer, Integer> parts = new IdentityHashMap<>();
  private final DecoderLayer layer;
  private final Norm norm;
  private final Sequence sequence;

  private TinyDecoder(Ops ops, DType type) {
    this.ops = ops;
    this.type = type;
    // Several blocks: a loop that never came round would be compiled as if it could not.
    size = Math.max(LEAST, 2 * type.blockSize());
    int heads = HEADS * HEAD;
    embedTokens = filled(type, DType.Tiled.ROWS, size);
    row = filled(DType.Plain.F32, 1, size);
    norm = new Norm.Rms(filled(DType.Plain.F32, size), 1e-5f);
    var attention =
        SelfAttention.of(
            new SelfAttention.Heads(HEADS, 1, HEAD),
            new SelfAttention.Projections(
                linear(heads, size), linear(HEAD, size), linear(HEAD, size), linear(size, heads)),
            rope,
            AttentionSpec.of(HEAD));
    var mlp =
        new GatedMlp(linear(size, size), linear(size, size), linear(size, size), Activation.SILU);
    layer = DecoderLayer.preNorm(norm, attention, norm, mlp);
    parts.put(attention, 0);
    var layout = new CacheLayout(List.of(attention.state()), DType.Plain.F16);
    sequence = new Sequence(new KvPool(Long.MAX_VALUE), layout, CacheLayout.PAGE);
    try (var _ = ops.scope()) {
      ops.empty(LARGE); // links the functions for it, which the real one needs, too
    }
  }

  private Linear linear(int rows, int columns) {
    return new Linear(filled(type, rows, columns), null);
  }

  private Tensor filled(DType dtype, long... dims) {
    var tensor = Tensor.allocate(arena, dtype, dims);
    tensor.segment().fill(BYTE);
    return tensor;
  }

  /// Prepares this process for decoders with weights of a type, on a thread of its own, once.
  ///
  /// @param small whether they are small: then products with them need not be compiled before
  /// @return done when it has ended
  public static CompletableFuture<Void> warmUp(DType type, boolean small) {
    return WarmUp.begin(
        kind(type), Precision.FAST, ops -> new TinyDecoder(ops, type).stages(small));
  }

  /// Ends what [#warmUp] has begun, if it has: there are no weights of that type.
  public static void drop(DType type) {
    WarmUp.drop(kind(type));
  }

  private static String kind(DType type) {
    return "decoders with " + type.name();
  }

  private WarmUp.Stages stages(boolean small) {
    return new WarmUp.Stages(
        small ? null : this::multiply, () -> forward(2), () -> forward(PROMPT));
  }

  private void multiply() {
    for (int i = 0; i < PRODUCTS; i++) {
      ops.linear(row, embedTokens);
    }
  }

  /// A prompt, and a token after it.
  private void forward(int prompt) {
    sequence.truncate(0);
    step(prompt);
    step(1);
  }

  private void step(int tokens) {
    var batch = Batch.of(sequence, new int[tokens], 1);
    sequence.reserve(tokens);
    sequence.begin();
    var x = ops.embedding(batch.ids(), embedTokens);
    layer.forward(ops, x, new Step(ops, batch, parts, List.of(rope)));
    sequence.advance(tokens);
    ops.linear(norm.of(ops, x.slice(0, tokens - 1, tokens)), embedTokens);
  }
}
