package io.gatun.server.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.sampling.SamplingOptions.Penalties;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Fields;
import io.gatun.server.models.TextModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// How a request's fields say that tokens are chosen, in the words of OpenAI's API and of servers
/// that have more of them.
public final class Sampling {
  /// Texts that end an answer.
  private static final int STOPS = 16;

  private static final int LONGEST_CONSTRAINT = 1 << 18;

  private Sampling() {}

  /// A request for an answer to a prompt, of as many tokens as there is room for.
  public static Request request(Fields f, int[] prompt, TextModel model, Duration timeout) {
    var penalties =
        new Penalties(
            f.number("repetition_penalty", f.number("repeat_penalty", 1, .01f, 10), .01f, 10),
            f.number("presence_penalty", 0, -2, 2),
            f.number("frequency_penalty", 0, -2, 2),
            f.count("repeat_last_n", 64, -1, Integer.MAX_VALUE));
    var sampling =
        SamplingOptions.GREEDY
            .withPenalties(penalties)
            .withTemperature(f.number("temperature", 1, 0, 100))
            .withTopP(positive(f, "top_p"))
            .withTopK(Math.max(0, f.count("top_k", 0, -1, Integer.MAX_VALUE)))
            .withMinP(f.number("min_p", 0, 0, 1))
            .withTypicalP(positive(f, "typical_p"))
            .withLogitBias(bias(f));
    Long seed = f.seed("seed");
    return Request.of(prompt)
        .sampling(seed == null ? sampling : sampling.withSeed(seed))
        .maxTokens(Math.max(1, model.engine().contextLimit()))
        .stop(stops(f))
        .ignoreEnd(f.flag("ignore_eos", false))
        .cache(f.flag("cache_prompt", true))
        .timeout(timeout);
  }

  private static float positive(Fields f, String name) {
    float value = f.number(name, 1, 0, 1);
    return value == 0 ? Float.MIN_NORMAL : value; // both leave the likeliest token alone
  }

  private static List<String> stops(Fields f) {
    return f.texts("stop", STOPS).stream().filter(text -> !text.isEmpty()).toList();
  }

  private static Map<Integer, Float> bias(Fields f) {
    JsonNode node = f.get("logit_bias");
    var all = new HashMap<Integer, Float>();
    if (node == null) {
      return all;
    }
    if (!node.isObject()) {
      throw f.invalid("logit_bias", "must be an object of token ids and numbers");
    }
    for (var field : node.properties()) {
      float value = field.getValue().floatValue();
      if (!field.getKey().matches("\\d{1,9}")
          || !field.getValue().isNumber()
          || !(Math.abs(value) <= 100)) {
        throw f.invalid(
            "logit_bias",
            "has \"%s\": %s; need a token id and a number from -100 to 100"
                .formatted(field.getKey(), Fields.brief(field.getValue())));
      }
      // The API's own words: -100 and 100 are a ban and a command.
      all.put(
          Integer.valueOf(field.getKey()),
          value == -100 ? Float.NEGATIVE_INFINITY : value == 100 ? 1e6f : value);
    }
    return all;
  }

  /// What an answer must look like; null for anything.
  public static Constraint constraint(Fields f) {
    var found = new ArrayList<Constraint>();
    var format = f.object("response_format");
    add(found, f, "response_format", format, Sampling::format);
    add(found, f, "grammar", bounded(f, "grammar"), Constraint::gbnf);
    add(found, f, "guided_regex", bounded(f, "guided_regex"), Constraint::regex);
    var choices = f.texts("guided_choice", 1024);
    add(found, f, "guided_choice", choices.isEmpty() ? null : choices, Constraint::choice);
    for (String name : List.of("guided_json", "json_schema")) {
      add(found, f, name, f.get(name), Sampling::schema);
    }
    return found.isEmpty() ? null : found.getFirst();
  }

  private static <T> void add(
      List<Constraint> found, Fields f, String name, T value, Function<T, Constraint> compile) {
    Constraint constraint;
    try {
      constraint = value == null ? null : compile.apply(value);
    } catch (ConstraintException e) {
      throw ApiException.invalid(name, e.getMessage());
    }
    if (constraint == null) {
      return;
    }
    if (!found.isEmpty()) {
      throw f.invalid(name, "says what the answer must look like, and another field does, too");
    }
    found.add(constraint);
  }

  private static String bounded(Fields f, String name) {
    String text = f.text(name, null);
    if (text != null && text.length() > LONGEST_CONSTRAINT) {
      throw f.invalid(
          name,
          "has %d characters; at most %d are read".formatted(text.length(), LONGEST_CONSTRAINT));
    }
    return text;
  }

  private static Constraint format(Fields format) {
    String type = format.requiredText("type");
    Constraint found =
        switch (type) {
          case "text" -> null;
          case "json_object" -> {
            JsonNode schema = format.get("schema"); // as llama.cpp's server has it
            yield schema == null ? Constraint.jsonObject() : schema(schema);
          }
          case "json_schema" -> {
            var named = format.object("json_schema");
            if (named == null) {
              throw format.missing("json_schema");
            }
            named.ignore("name", "description", "strict");
            JsonNode schema = named.get("schema");
            named.requireAllRead();
            yield schema == null ? Constraint.jsonObject() : schema(schema);
          }
          default ->
              throw format.invalid(
                  "type", "is \"%s\"; need text, json_object or json_schema".formatted(type));
        };
    format.requireAllRead();
    return found;
  }

  public static Constraint schema(JsonNode schema) {
    String text = schema.toString();
    if (text.length() > LONGEST_CONSTRAINT) {
      throw ApiException.invalid(
          "response_format",
          "the schema has %d characters; at most %d are read"
              .formatted(text.length(), LONGEST_CONSTRAINT));
    }
    return Constraint.jsonSchema(text);
  }
}
