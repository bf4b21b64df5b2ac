package io.gatun.tools.text;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.sampling.SamplingOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/// The options that say how tokens are chosen.
final class SamplingOptionsMixin {
  @Option(
      names = "--temp",
      paramLabel = "T",
      description = "Temperature; 0 always takes the likeliest token (default: ${DEFAULT-VALUE}).")
  private float temperature = 0.8f;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Choose among the K likeliest; 0 for all (default: ${DEFAULT-VALUE}).")
  private int topK = 40;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description =
          "Choose among the likeliest that together have probability P (default:"
              + " ${DEFAULT-VALUE}).")
  private float topP = 0.95f;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description =
          "Leave out what is less likely than P times the likeliest (default: ${DEFAULT-VALUE}).")
  private float minP = 0.05f;

  @Option(
      names = "--typical-p",
      paramLabel = "P",
      description =
          "Choose among those as surprising as expected, which together have probability P; 1 for"
              + " all (default: ${DEFAULT-VALUE}).")
  private float typicalP = 1;

  @Option(
      names = "--repeat-penalty",
      paramLabel = "R",
      description =
          "Make recent tokens less likely by this factor; 1 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private float repeatPenalty = 1;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description =
          "Subtract X from the logits of recent tokens; 0 for none (default: ${DEFAULT-VALUE}).")
  private float presencePenalty;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description =
          "Subtract X for each time that a token is among the recent ones; 0 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private float frequencyPenalty;

  @Option(
      names = "--repeat-last-n",
      paramLabel = "N",
      description =
          "Tokens that count as recent, the prompt's too; -1 for all (default: ${DEFAULT-VALUE}).")
  private int repeatLastN = 64;

  @Option(
      names = "--dry-multiplier",
      paramLabel = "X",
      description =
          "Penalty of tokens that would repeat a run of tokens, growing with its length; 0 for none"
              + " (default: ${DEFAULT-VALUE}).")
  private float dryMultiplier;

  @Option(
      names = "--dry-base",
      paramLabel = "X",
      description =
          "Factor by which that penalty grows with each token (default: ${DEFAULT-VALUE}).")
  private float dryBase = 1.75f;

  @Option(
      names = "--dry-allowed-length",
      paramLabel = "N",
      description = "Length of a run at which it begins (default: ${DEFAULT-VALUE}).")
  private int dryAllowedLength = 2;

  @Option(
      names = "--dry-last-n",
      paramLabel = "N",
      description = "Tokens in which runs are looked for; -1 for all (default: ${DEFAULT-VALUE}).")
  private int dryLastN = SamplingOptions.ALL;

  @Option(
      names = "--dry-breaker",
      paramLabel = "TEXT",
      converter = AnswerOptions.TextConverter.class,
      description =
          "Text that ends a run; may be given several times (default: line feed, colon, quotation"
              + " mark, asterisk).")
  private List<String> dryBreakers = new ArrayList<>();

  @Option(
      names = "--logit-bias",
      paramLabel = "ID=X",
      description =
          "Add X to the logit of a token, whose number gatun tokenize tells; -Infinity rules it"
              + " out; may be given several times.")
  private Map<Integer, Float> logitBias = new LinkedHashMap<>();

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "The same seed gives the same text (default: a new one each time).")
  private Long seed;

  SamplingOptions options() {
    var breakers = dryBreakers.isEmpty() ? SamplingOptions.Dry.OFF.breakers() : dryBreakers;
    var options =
        SamplingOptions.DEFAULT
            .withLogitBias(logitBias)
            .withPenalties(
                new SamplingOptions.Penalties(
                    repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN))
            .withDry(
                new SamplingOptions.Dry(
                    dryMultiplier, dryBase, dryAllowedLength, dryLastN, breakers))
            .withTopK(topK)
            .withTypicalP(typicalP)
            .withTopP(topP)
            .withMinP(minP)
            .withTemperature(temperature);
    return seed == null ? options : options.withSeed(seed);
  }

  /// Puts them into a request to a server.
  void tell(ObjectNode body) {
    body.put("temperature", temperature)
        .put("top_k", topK)
        .put("top_p", topP)
        .put("min_p", minP)
        .put("typical_p", typicalP)
        .put("repetition_penalty", repeatPenalty)
        .put("presence_penalty", presencePenalty)
        .put("frequency_penalty", frequencyPenalty)
        .put("repeat_last_n", repeatLastN);
    if (seed != null) {
      body.put("seed", seed);
    }
  }
}
