package io.gatun.models.quantize;

import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// The residual stream of texts on their way through a model's layers.
final class TextStream {
  /// The most bytes that one has.
  private static final long BYTES = 192L << 20;

  private final List<int[]> texts = new ArrayList<>();
  private final List<Tensor> rows = new ArrayList<>();

  /// The texts before the first layer.
  ///
  /// @param samples tokens of texts, of which as many are read as there is memory for
  /// @param arena where it is
  TextStream(Decoder decoder, Ops ops, List<int[]> samples, Arena arena) {
    long width = decoder.config().hiddenSize();
    long bytes = 0;
    for (int[] ids : samples) {
      bytes += ids.length * width * Float.BYTES;
      if (!texts.isEmpty() && bytes > BYTES) {
        break;
      }
      texts.add(ids);
      try (var _ = ops.scope()) {
        var x = Tensor.allocate(arena, DType.Plain.F32, ids.length, width);
        x.segment().copyFrom(decoder.embed(ops, ids).segment());
        rows.add(x);
      }
    }
  }

  int texts() {
    return texts.size();
  }

  int[] ids(int text) {
    return texts.get(text);
  }

  /// (T, D) of a text.
  Tensor rows(int text) {
    return rows.get(text);
  }

  /// Leads the texts through a layer.
  void advance(Ops ops, Decoder decoder, int layer) {
    try (var own = ops.sharing()) {
      for (int i = 0; i < texts(); i++) {
        run(own, decoder, layer, ids(i), rows(i));
      }
    }
  }

  /// Runs a layer on x (T, D), in place.
  static void run(Ops ops, Decoder decoder, int layer, int[] ids, Tensor x) {
    var layout = decoder.layout(DType.Plain.F32);
    try (var pool = new KvPool(Long.MAX_VALUE);
        var sequence = new Sequence(pool, layout, ids.length);
        var _ = ops.scope()) {
      decoder.forward(ops, layer, Batch.of(sequence, ids, 0), x);
    }
  }
}
