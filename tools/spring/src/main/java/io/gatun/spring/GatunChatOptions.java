package io.gatun.spring;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.model.tool.DefaultToolCallingChatOptions;
import org.springframework.ai.model.tool.StructuredOutputChatOptions;
import org.springframework.ai.model.tool.ToolCallingChatOptions;

/// Spring AI's options of a prompt, and those that only Gatun has. What is null is the model's
/// default.
public final class GatunChatOptions extends DefaultToolCallingChatOptions
    implements StructuredOutputChatOptions {
  /// Whether tools may be called.
  public enum ToolChoice {
    AUTO,
    NONE,
    REQUIRED
  }

  private final Double minP;
  private final Double repeatPenalty;
  private final Long seed;
  private final String outputSchema;
  private final ToolChoice toolChoice;
  private final Map<String, Object> templateVariables;

  private GatunChatOptions(ToolCallingChatOptions base, Builder b) {
    super(
        base.getToolCallbacks(),
        base.getToolContext(),
        base.getModel(),
        base.getFrequencyPenalty(),
        base.getMaxTokens(),
        base.getPresencePenalty(),
        base.getStopSequences(),
        base.getTemperature(),
        base.getTopK(),
        base.getTopP());
    minP = b.minP;
    repeatPenalty = b.repeatPenalty;
    seed = b.seed;
    outputSchema = b.outputSchema;
    toolChoice = b.toolChoice;
    templateVariables = b.templateVariables;
  }

  public static Builder builder() {
    return new Builder();
  }

  /// Tokens less likely than this share of the likeliest one are not drawn.
  public Double getMinP() {
    return minP;
  }

  /// Tokens that were written are less likely by this factor.
  public Double getRepeatPenalty() {
    return repeatPenalty;
  }

  /// The same seed, prompt and options give the same answer; null for a new one each time.
  public Long getSeed() {
    return seed;
  }

  /// The JSON schema that the answer follows to the letter.
  @Override
  public String getOutputSchema() {
    return outputSchema;
  }

  /// Whether tools may be called; null as the model likes.
  public ToolChoice getToolChoice() {
    return toolChoice;
  }

  /// Switches of the model's chat template, such as `enable_thinking`.
  public Map<String, Object> getTemplateVariables() {
    return templateVariables;
  }

  @Override
  public Builder mutate() {
    return builder()
        .model(getModel())
        .frequencyPenalty(getFrequencyPenalty())
        .maxTokens(getMaxTokens())
        .presencePenalty(getPresencePenalty())
        .stopSequences(getStopSequences())
        .temperature(getTemperature())
        .topK(getTopK())
        .topP(getTopP())
        .toolCallbacks(getToolCallbacks())
        .toolContext(getToolContext())
        .minP(minP)
        .repeatPenalty(repeatPenalty)
        .seed(seed)
        .outputSchema(outputSchema)
        .toolChoice(toolChoice)
        .templateVariables(templateVariables);
  }

  @Override
  public boolean equals(Object o) {
    return super.equals(o)
        && o instanceof GatunChatOptions that
        && Objects.equals(minP, that.minP)
        && Objects.equals(repeatPenalty, that.repeatPenalty)
        && Objects.equals(seed, that.seed)
        && Objects.equals(outputSchema, that.outputSchema)
        && toolChoice == that.toolChoice
        && templateVariables.equals(that.templateVariables);
  }

  @Override
  public int hashCode() {
    return Objects.hash(
        super.hashCode(), minP, repeatPenalty, seed, outputSchema, toolChoice, templateVariables);
  }

  /// Makes them.
  public static final class Builder extends DefaultToolCallingChatOptions.Builder<Builder>
      implements StructuredOutputChatOptions.Builder<Builder> {
    private Double minP;
    private Double repeatPenalty;
    private Long seed;
    private String outputSchema;
    private ToolChoice toolChoice;
    private Map<String, Object> templateVariables = Map.of();

    private Builder() {}

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

    @Override
    public Builder outputSchema(String value) {
      outputSchema = value;
      return this;
    }

    public Builder toolChoice(ToolChoice value) {
      toolChoice = value;
      return this;
    }

    public Builder templateVariables(Map<String, Object> value) {
      templateVariables = Map.copyOf(value);
      return this;
    }

    @Override
    public Builder combineWith(ChatOptions.Builder<?> other) {
      super.combineWith(other);
      if (other instanceof Builder that) {
        minP = that.minP == null ? minP : that.minP;
        repeatPenalty = that.repeatPenalty == null ? repeatPenalty : that.repeatPenalty;
        seed = that.seed == null ? seed : that.seed;
        outputSchema = that.outputSchema == null ? outputSchema : that.outputSchema;
        toolChoice = that.toolChoice == null ? toolChoice : that.toolChoice;
        var all = new HashMap<>(templateVariables);
        all.putAll(that.templateVariables);
        templateVariables = Map.copyOf(all);
      }
      return this;
    }

    @Override
    public GatunChatOptions build() {
      return new GatunChatOptions(super.build(), this);
    }
  }
}
