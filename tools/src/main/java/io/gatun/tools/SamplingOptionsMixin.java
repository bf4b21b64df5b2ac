package io.gatun.tools;

import io.gatun.models.text.SamplingOptions;
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
      names = "--repeat-penalty",
      paramLabel = "R",
      description =
          "Make recent tokens less likely by this factor; 1 for none (default:"
              + " ${DEFAULT-VALUE}).")
  private float repeatPenalty = 1;

  @Option(
      names = "--repeat-last-n",
      paramLabel = "N",
      description = "Tokens that count as recent (default: ${DEFAULT-VALUE}).")
  private int repeatLastN = 64;

  @Option(
      names = "--seed",
      paramLabel = "S",
      description = "The same seed gives the same text (default: a new one each time).")
  private Long seed;

  SamplingOptions options() {
    var options =
        SamplingOptions.DEFAULT
            .withTemperature(temperature)
            .withTopK(topK)
            .withTopP(topP)
            .withMinP(minP)
            .withRepeatPenalty(repeatPenalty, repeatLastN);
    return seed == null ? options : options.withSeed(seed);
  }
}
