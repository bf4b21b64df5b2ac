package io.gatun.models.evaluation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.Llm;
import io.gatun.models.LlmSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;

/// Questions with several endings, of which the model chooses the likeliest (Zellers et al. 2019,
/// "HellaSwag"), read and judged as lm-evaluation-harness does.
///
/// @param context what stands before each ending, without the space between
/// @param label the number of the right one
public record MultipleChoice(String context, List<String> endings, int label) {
  /// How many were answered rightly.
  ///
  /// @param accuracy choosing the ending of the greatest probability
  /// @param normalized choosing that of the greatest log-probability per character
  public record Figures(Estimate accuracy, Estimate normalized) {}

  /// Reads a JSONL file in HellaSwag's form: `ctx`, `endings` and `label`. Where there are
  /// `activity_label`, `ctx_a` and `ctx_b`, the context is made of them as lm-evaluation-harness
  /// does.
  ///
  /// @throws IllegalArgumentException if a line is no such question; it names the line
  public static List<MultipleChoice> read(Path file) {
    var questions = new ArrayList<MultipleChoice>();
    var json = new ObjectMapper();
    try (var lines = Files.newBufferedReader(file)) {
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (!line.isBlank()) {
          try {
            questions.add(of(json.readTree(line)));
          } catch (JsonProcessingException | IllegalArgumentException e) {
            String why =
                e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
            throw new IllegalArgumentException("%s:%d: %s".formatted(file, number, why), e);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (questions.isEmpty()) {
      throw new IllegalArgumentException(file + ": holds no question");
    }
    return questions;
  }

  private static MultipleChoice of(JsonNode json) {
    var endings = new ArrayList<String>();
    json.path("endings").forEach(ending -> endings.add(cleaned(ending.asText())));
    if (endings.size() < 2 || endings.stream().anyMatch(String::isEmpty)) {
      throw new IllegalArgumentException("\"endings\" needs at least two texts");
    }
    // Numbers, and in HellaSwag's own files numbers as strings.
    int label = json.path("label").asInt(-1);
    if (label < 0 || label >= endings.size()) {
      throw new IllegalArgumentException(
          "\"label\" is %s; need the number of the right ending, 0 to %d"
              .formatted(json.path("label"), endings.size() - 1));
    }
    String context;
    if (json.has("activity_label") && json.has("ctx_a") && json.has("ctx_b")) {
      context =
          "%s: %s %s"
              .formatted(
                  json.path("activity_label").asText(),
                  json.path("ctx_a").asText(),
                  capitalized(json.path("ctx_b").asText()));
    } else {
      context = json.path("ctx").asText();
    }
    context = cleaned(context);
    if (context.isEmpty()) {
      throw new IllegalArgumentException("\"ctx\" needs a text");
    }
    return new MultipleChoice(context, endings, label);
  }

  private static String capitalized(String text) {
    return text.isEmpty()
        ? text
        : text.substring(0, 1).toUpperCase(Locale.ROOT)
            + text.substring(1).toLowerCase(Locale.ROOT);
  }

  /// WikiHow's texts hold marks of their own.
  private static String cleaned(String text) {
    return text.strip().replace(" [title]", ". ").replaceAll("\\[.*?\\]", "").replace("  ", " ");
  }

  /// Asks a model all questions.
  ///
  /// @param progress is told how many are answered
  /// @throws IllegalArgumentException if a question is longer than the model's context
  public static Figures ask(Llm llm, List<MultipleChoice> questions, IntConsumer progress) {
    var accuracy = new Estimate.Sum();
    var normalized = new Estimate.Sum();
    try (var session = llm.newSession()) {
      for (int i = 0; i < questions.size(); i++) {
        var question = questions.get(i);
        double[] logp = question.judge(llm, session);
        var perCharacter = new double[logp.length];
        for (int e = 0; e < logp.length; e++) {
          String ending = question.endings.get(e);
          perCharacter[e] = logp[e] / ending.codePointCount(0, ending.length());
        }
        accuracy.add(best(logp) == question.label ? 1 : 0);
        normalized.add(best(perCharacter) == question.label ? 1 : 0);
        progress.accept(i + 1);
      }
    }
    return new Figures(accuracy.estimate(), normalized.estimate());
  }

  /// ln p of each ending after the context.
  ///
  /// @throws IllegalArgumentException if the question is longer than the model's context
  public double[] logProbabilities(Llm llm) {
    try (var session = llm.newSession()) {
      return judge(llm, session);
    }
  }

  /// The same with a session, which keeps what endings have in common.
  private double[] judge(Llm llm, LlmSession session) {
    int[] before = llm.tokenizer().encode(context, true, false);
    var logp = new double[endings.size()];
    for (int e = 0; e < logp.length; e++) {
      int[] all = llm.tokenizer().encode(context + " " + endings.get(e), true, false);
      int[] held = session.tokens();
      int same = Arrays.mismatch(all, held);
      // The token before the ending is read again, since it is what predicts the first.
      int from = Math.min(before.length, all.length - 1);
      int keep = Math.min(same < 0 ? held.length : same, from - 1);
      session.truncate(Math.max(0, keep));
      int[] rest = Arrays.copyOfRange(all, Math.max(0, keep), all.length);
      for (float p : session.score(rest, from - Math.max(0, keep))) {
        logp[e] += p;
      }
    }
    return logp;
  }

  private static int best(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }
}
