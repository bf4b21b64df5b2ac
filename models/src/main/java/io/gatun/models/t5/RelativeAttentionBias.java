package io.gatun.models.t5;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;

/// What is added to the scores of each head by how far apart two tokens are (Raffel et al. 2020,
/// section 2.1): near distances have values of their own, far ones share them.
final class RelativeAttentionBias {
  private final int heads;
  private final int buckets;
  private final int maxDistance;
  private final float[] table;

  /// @param weight (buckets, H)
  RelativeAttentionBias(T5Config config, Tensor weight) {
    heads = config.numHeads();
    buckets = config.relativeAttentionNumBuckets();
    maxDistance = config.relativeAttentionMaxDistance();
    table = weight.toFloats();
  }

  /// For `tokens` tokens: (H, S, S) F32, by query and key.
  Tensor forward(Functional f, int tokens) {
    var out = f.ops().empty(heads, tokens, tokens);
    for (int h = 0; h < heads; h++) {
      for (int query = 0; query < tokens; query++) {
        long row = ((long) h * tokens + query) * tokens;
        for (int key = 0; key < tokens; key++) {
          float value = table[bucket(key - query) * heads + h];
          out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, row + key, value);
        }
      }
    }
    return out;
  }

  /// The row of the table for a key `relative` tokens after the query: half of the rows are for
  /// those after it, and of each half one half for single distances, and one in which distances
  /// grow logarithmically up to the greatest.
  int bucket(int relative) {
    int half = buckets / 2;
    int side = relative > 0 ? half : 0;
    int distance = Math.abs(relative);
    int single = half / 2;
    if (distance < single) {
      return side + distance;
    }
    double share = Math.log((float) distance / single) / Math.log(maxDistance / (double) single);
    return side + Math.min(single + (int) (float) (share * (half - single)), half - 1);
  }
}
