package io.gatun.spring.boot;

import io.gatun.spring.GatunChatOptions;
import io.gatun.spring.GatunImageOptions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/// What an application says of its models. Each is made if its `model` is there: a path, or a name
/// as the command line takes it.
///
/// @param threads the threads that compute; by default one a core
@ConfigurationProperties("spring.ai.gatun")
public record GatunProperties(
    @DefaultValue("0") int threads,
    @DefaultValue Chat chat,
    @DefaultValue Embedding embedding,
    @DefaultValue Image image) {
  /// The language model.
  ///
  /// @param name what it goes by; by default the name of its file, or that of `model`
  /// @param context the most tokens of a prompt and its answer; by default as many as the model has
  /// @param parallel the most answers that are written at once
  /// @param timeout after so long a request fails; by default never
  public record Chat(
      String model,
      String name,
      @DefaultValue("0") int context,
      @DefaultValue("8") int parallel,
      Duration timeout,
      Double temperature,
      Double topP,
      Integer topK,
      Double minP,
      Double repeatPenalty,
      Double frequencyPenalty,
      Double presencePenalty,
      Integer maxTokens,
      List<String> stopSequences,
      Long seed,
      @DefaultValue Map<String, Object> templateVariables) {
    GatunChatOptions options() {
      return GatunChatOptions.builder()
          .model(name)
          .temperature(temperature)
          .topP(topP)
          .topK(topK)
          .minP(minP)
          .repeatPenalty(repeatPenalty)
          .frequencyPenalty(frequencyPenalty)
          .presencePenalty(presencePenalty)
          .maxTokens(maxTokens)
          .stopSequences(stopSequences)
          .seed(seed)
          .templateVariables(templateVariables)
          .build();
    }
  }

  /// The model that makes vectors of texts.
  ///
  /// @param truncate whether a text that is too long is cut; else it is refused
  public record Embedding(String model, @DefaultValue("false") boolean truncate) {}

  /// The model that makes pictures; the rest as in [GatunImageOptions].
  public record Image(
      String model,
      Integer width,
      Integer height,
      String negative,
      Integer steps,
      Double guidance,
      Long seed,
      String scheduler) {
    GatunImageOptions options() {
      return new GatunImageOptions(
          null, width, height, negative, steps, guidance, seed, scheduler, null);
    }
  }
}
