package io.gatun.models.chat;

import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.SamplingOptions.Penalties;
import java.time.Duration;
import java.util.List;

/// What other libraries let their users say of an answer. What is null is left to
/// [SamplingOptions#DEFAULT].
///
/// @param maxTokens null for as many as the context has room for
/// @param stop texts that end the answer; null for none
/// @param timeout null for no end
public record AnswerOptions(
    Double temperature,
    Double topP,
    Integer topK,
    Double minP,
    Double repeatPenalty,
    Double presencePenalty,
    Double frequencyPenalty,
    Long seed,
    Integer maxTokens,
    List<String> stop,
    Duration timeout) {
  /// What an engine is asked for.
  ///
  /// @throws IllegalArgumentException if a value is outside its range, or the prompt is empty
  public Request request(int[] prompt) {
    return Request.of(prompt)
        .sampling(sampling())
        .maxTokens(maxTokens == null ? Integer.MAX_VALUE : maxTokens)
        .stop(stop == null ? List.of() : stop)
        .timeout(timeout);
  }

  private SamplingOptions sampling() {
    var d = SamplingOptions.DEFAULT;
    return new SamplingOptions(
        d.logitBias(),
        new Penalties(
            or(repeatPenalty, d.penalties().repeat()),
            or(presencePenalty, d.penalties().presence()),
            or(frequencyPenalty, d.penalties().frequency()),
            d.penalties().lastN()),
        d.dry(),
        topK == null ? d.topK() : topK,
        d.typicalP(),
        or(topP, d.topP()),
        or(minP, d.minP()),
        or(temperature, d.temperature()),
        seed);
  }

  private static float or(Double value, float otherwise) {
    return value == null ? otherwise : value.floatValue();
  }
}
