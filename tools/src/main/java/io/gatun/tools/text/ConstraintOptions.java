package io.gatun.tools.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.constraint.Constraint;
import io.gatun.tools.console.Texts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/// The options that say what an answer must look like.
public final class ConstraintOptions {
  @Option(
      names = "--json-schema",
      paramLabel = "FILE|SCHEMA",
      description =
          "Answer with JSON that is valid by this JSON schema: a file, or the schema itself.")
  private String jsonSchema;

  @Option(
      names = "--grammar",
      paramLabel = "FILE",
      description = "Answer by a grammar in llama.cpp's form (GBNF).")
  private Path grammar;

  @Option(
      names = "--regex",
      paramLabel = "PATTERN",
      description = "Answer with a text that matches this as a whole.")
  private String regex;

  @Option(
      names = "--choice",
      paramLabel = "TEXT",
      description = "Answer with this text; given several times, with one of them.")
  private List<String> choices = new ArrayList<>();

  private Constraint constraint;
  private List<?> compiled;

  /// The constraint, or null if there is none.
  ///
  /// @throws IllegalArgumentException if it cannot be used, or there are several
  public Constraint constraint() {
    var given =
        Stream.of(jsonSchema, grammar, regex, choices.isEmpty() ? null : List.copyOf(choices))
            .filter(Objects::nonNull)
            .toList();
    if (given.size() > 1) {
      throw new IllegalArgumentException(
          "Give one of --json-schema, --grammar, --regex and --choice, not several");
    }
    if (!given.equals(compiled)) {
      constraint = given.isEmpty() ? null : compile();
      compiled = given;
    }
    return constraint;
  }

  private Constraint compile() {
    if (jsonSchema != null) {
      return Constraint.jsonSchema(schemaText());
    }
    if (grammar != null) {
      return Constraint.gbnf(Texts.read(grammar));
    }
    return regex != null ? Constraint.regex(regex) : Constraint.choice(choices);
  }

  private String schemaText() {
    boolean isText = jsonSchema.strip().matches("(?s)\\{.*|true|false");
    return isText ? jsonSchema : Texts.read(Path.of(jsonSchema));
  }

  /// Puts it into a request to a server.
  void tell(ObjectNode body) {
    if (jsonSchema != null) {
      try {
        body.set("guided_json", new ObjectMapper().readTree(schemaText()));
      } catch (JsonProcessingException e) {
        throw new IllegalArgumentException(
            "--json-schema is no JSON: " + e.getOriginalMessage(), e);
      }
    } else if (grammar != null) {
      body.put("grammar", Texts.read(grammar));
    } else if (regex != null) {
      body.put("guided_regex", regex);
    } else if (!choices.isEmpty()) {
      choices.forEach(body.putArray("guided_choice")::add);
    }
  }
}
