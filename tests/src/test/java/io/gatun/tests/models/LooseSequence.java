package io.gatun.tests.models;

import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;

/// One sequence in F32 with a pool of its own.
record LooseSequence(KvPool pool, Sequence sequence) implements AutoCloseable {
  static LooseSequence of(Decoder decoder, int capacity) {
    var pool = new KvPool(Long.MAX_VALUE);
    return new LooseSequence(pool, new Sequence(pool, decoder.layout(DType.Plain.F32), capacity));
  }

  /// Its next tokens, of which all are wanted.
  Batch batch(int[] ids) {
    return Batch.of(sequence, ids, ids.length);
  }

  @Override
  public void close() {
    sequence.close();
    pool.close();
  }
}
