package io.gatun.langchain4j;

import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import java.util.Map;
import java.util.Objects;

/// LangChain4j's parameters of a request, and those that only Gatun has.
public final class GatunChatRequestParameters extends DefaultChatRequestParameters {
  private final Double minP;
  private final Double repeatPenalty;
  private final Long seed;
  private final Map<String, Object> templateVariables;

  private GatunChatRequestParameters(Builder builder) {
    super(builder);
    minP = builder.minP;
    repeatPenalty = builder.repeatPenalty;
    seed = builder.seed;
    templateVariables = builder.templateVariables;
  }

  public static Builder builder() {
    return new Builder();
  }

  /// Tokens less likely than this share of the likeliest one are not drawn; null for the default.
  public Double minP() {
    return minP;
  }

  /// Tokens that were written are less likely by this factor; null for the default.
  public Double repeatPenalty() {
    return repeatPenalty;
  }

  /// The same seed, prompt and parameters give the same answer; null for a new one each time.
  public Long seed() {
    return seed;
  }

  /// Switches of the model's chat template, such as `enable_thinking`.
  public Map<String, Object> templateVariables() {
    return templateVariables;
  }

  @Override
  public ChatRequestParameters overrideWith(ChatRequestParameters that) {
    return builder().overrideWith(this).overrideWith(that).build();
  }

  @Override
  public boolean equals(Object o) {
    return super.equals(o)
        && o instanceof GatunChatRequestParameters that
        && Objects.equals(minP, that.minP)
        && Objects.equals(repeatPenalty, that.repeatPenalty)
        && Objects.equals(seed, that.seed)
        && templateVariables.equals(that.templateVariables);
  }

  @Override
  public int hashCode() {
    return Objects.hash(super.hashCode(), minP, repeatPenalty, seed, templateVariables);
  }

  @Override
  public String toString() {
    return "%s, minP %s, repeatPenalty %s, seed %s, templateVariables %s"
        .formatted(super.toString(), minP, repeatPenalty, seed, templateVariables);
  }

  /// Makes them.
  public static final class Builder extends DefaultChatRequestParameters.Builder<Builder> {
    private Double minP;
    private Double repeatPenalty;
    private Long seed;
    private Map<String, Object> templateVariables = Map.of();

    private Builder() {}

    @Override
    public Builder overrideWith(ChatRequestParameters parameters) {
      super.overrideWith(parameters);
      if (parameters instanceof GatunChatRequestParameters own) {
        minP = own.minP == null ? minP : own.minP;
        repeatPenalty = own.repeatPenalty == null ? repeatPenalty : own.repeatPenalty;
        seed = own.seed == null ? seed : own.seed;
        templateVariables =
            own.templateVariables.isEmpty() ? templateVariables : own.templateVariables;
      }
      return this;
    }

    public Builder minP(Double value) {
      minP = value;
      return this;
    }

    public Builder repeatPenalty(Double value) {
      repeatPenalty = value;
      return this;
    }

    public Builder seed(Long value) {
      seed = value;
      return this;
    }

    public Builder templateVariables(Map<String, Object> value) {
      templateVariables = Map.copyOf(value);
      return this;
    }

    @Override
    public GatunChatRequestParameters build() {
      return new GatunChatRequestParameters(this);
    }
  }
}
