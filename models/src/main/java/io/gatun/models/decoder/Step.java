package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Recurrence;
import io.gatun.tensor.sequence.Span;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Supplier;

/// What the layers share in one forward pass: whose rows they see, what each part keeps of those
/// sequences, and the rotary tables of the positions.
public final class Step {
  private final Batch batch;
  private final IdentityHashMap<TokenMixer, Integer> parts;
  private final IdentityHashMap<RotaryEmbedding, RotaryEmbedding.Table> tables =
      new IdentityHashMap<>();
  private final IdentityHashMap<Object, Tensor> shared = new IdentityHashMap<>();

  /// @param parts where each mixer's state stands in the sequences' layout
  Step(
      Ops ops,
      Batch batch,
      IdentityHashMap<TokenMixer, Integer> parts,
      List<RotaryEmbedding> ropes) {
    this.batch = batch;
    this.parts = parts;
    for (var rope : ropes) {
      tables.put(rope, rope.table(ops, batch));
    }
  }

  /// The rows of each sequence, in order.
  public List<Span> spans() {
    return batch.spans();
  }

  /// The tokens of all rows (T).
  public int[] ids() {
    return batch.ids();
  }

  /// What several layers use of this step, made when the first of them asks.
  ///
  /// @param owner what it is for
  Tensor once(Object owner, Supplier<Tensor> make) {
    return shared.computeIfAbsent(owner, _ -> make.get());
  }

  /// The tables for all rows.
  public RotaryEmbedding.Table table(RotaryEmbedding rope) {
    return tables.get(rope);
  }

  /// Stores keys k (T, G, K) and values v (T, G, V) of all rows.
  public void put(Ops ops, TokenMixer mixer, Tensor k, Tensor v) {
    ops.put(spans(), parts.get(mixer), k, v);
  }

  /// Attention of q (T, H, K) over what is stored, by the mixer itself or one that it shares with:
  /// (T, H, V).
  public Tensor attention(Ops ops, TokenMixer mixer, Tensor q, AttentionSpec spec) {
    return ops.attention(q, spans(), parts.get(mixer), spec);
  }

  /// The operations of a mixer with a recurrent state.
  public Recurrence recurrence(Ops ops, TokenMixer mixer) {
    return new Recurrence(ops, spans(), parts.get(mixer));
  }
}
