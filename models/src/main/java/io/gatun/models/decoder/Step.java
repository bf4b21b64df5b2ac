package io.gatun.models.decoder;

import io.gatun.tensor.ops.KvCache;
import io.gatun.tensor.ops.Ops;
import java.util.IdentityHashMap;
import java.util.List;

/// What the layers share in one forward pass: where the tokens stand, what came before them, and
/// the rotary tables of their positions.
public final class Step {
  private final int position;
  private final KvCache cache;
  private final IdentityHashMap<RotaryEmbedding, RotaryEmbedding.Table> tables =
      new IdentityHashMap<>();

  Step(Ops ops, int position, int tokens, KvCache cache, List<RotaryEmbedding> ropes) {
    this.position = position;
    this.cache = cache;
    for (var rope : ropes) {
      tables.put(rope, rope.table(ops, position, tokens, cache.capacity()));
    }
  }

  /// That of the first token.
  int position() {
    return position;
  }

  KvCache cache() {
    return cache;
  }

  RotaryEmbedding.Table table(RotaryEmbedding rope) {
    return tables.get(rope);
  }
}
