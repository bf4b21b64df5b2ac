package io.gatun.models.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// How likely the model held the token that was chosen, and others: natural logarithms of the
/// probabilities that it gave itself, at temperature 1 and before any bias, penalty, mask or
/// filter, as in OpenAI's interface and by default in vLLM.
///
/// @param token the one that was chosen
/// @param logprob of it
/// @param top the likeliest tokens, the likeliest first
/// @param topLogprobs of those; where the chosen token is among them, it is the same number
@SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
public record TokenLogprobs(int token, float logprob, int[] top, float[] topLogprobs) {
  /// From one token's logits.
  ///
  /// @param logits F32, one for each token
  /// @param most how many of the likeliest are named
  /// @param scratch of the same size; what it held is lost
  public static TokenLogprobs of(MemorySegment logits, int token, int most, Candidates scratch) {
    scratch.load(logits);
    double normalizer = scratch.logSum();
    if (most > 0) {
      scratch.load(logits);
      scratch.top(most);
    }
    var top = new int[most > 0 ? scratch.selected() : 0];
    var topLogprobs = new float[top.length];
    for (int i = 0; i < top.length; i++) {
      top[i] = scratch.selected(i);
      topLogprobs[i] = (float) (scratch.logit(top[i]) - normalizer);
    }
    float chosen = logits.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, token);
    return new TokenLogprobs(token, (float) (chosen - normalizer), top, topLogprobs);
  }
}
