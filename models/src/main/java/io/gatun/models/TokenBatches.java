package io.gatun.models;

import io.gatun.models.encoder.TokenBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;

/// Texts in an order in which they are computed fast: those of similar length together, so many at
/// a time that their states stay in the caches.
final class TokenBatches {
  private TokenBatches() {}

  /// Hands batches to `compute`, with the texts' places in the lists.
  ///
  /// @param most the tokens of a batch of more than one text
  /// @param types as [TokenBatch#of] takes them
  static void forEach(
      int most, List<int[]> ids, List<int[]> types, BiConsumer<TokenBatch, int[]> compute) {
    int[] order =
        IntStream.range(0, ids.size())
            .boxed()
            .sorted(Comparator.comparingInt((Integer i) -> ids.get(i).length))
            .mapToInt(Integer::intValue)
            .toArray();
    for (int from = 0; from < order.length; ) {
      int to = from;
      int tokens = 0;
      var batchIds = new ArrayList<int[]>();
      var batchTypes = types == null ? null : new ArrayList<int[]>();
      while (to < order.length && (to == from || tokens + ids.get(order[to]).length <= most)) {
        tokens += ids.get(order[to]).length;
        batchIds.add(ids.get(order[to]));
        if (types != null) {
          batchTypes.add(types.get(order[to]));
        }
        to++;
      }
      compute.accept(TokenBatch.of(batchIds, batchTypes), Arrays.copyOfRange(order, from, to));
      from = to;
    }
  }
}
