package io.gatun.tools.imagine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.ImagineOptions;
import io.gatun.models.diffusion.schedulers.Spacing;
import io.gatun.tools.options.Choice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/// Images that are to be made one after the other, a line of JSON each.
final class ImagineBatch {
  private static final Set<String> TEXTS =
      Set.of("prompt", "negative", "scheduler", "spacing", "out");
  private static final Set<String> NUMBERS =
      Set.of("seed", "steps", "guidance", "width", "height", "hires");

  private static final Set<String> FRACTIONS = Set.of("guidance", "hires");

  private final CommandSpec spec;
  private final Path folder;

  /// An image.
  ///
  /// @param line the number of its line, from 1
  record Job(int line, JsonNode json, Path out) {
    String prompt() {
      return json.path("prompt").textValue();
    }

    /// Sets what the line says.
    void apply(ImagineOptions o) {
      if (json.has("negative")) {
        o.negative(json.path("negative").textValue());
      }
      if (json.has("scheduler")) {
        o.scheduler(json.path("scheduler").textValue());
      }
      if (json.has("spacing")) {
        o.spacing(Choice.of(Spacing.class, json.path("spacing").textValue()));
      }
      if (json.has("seed")) {
        o.seed(json.path("seed").longValue());
      }
      if (json.has("steps")) {
        o.steps(json.path("steps").intValue());
      }
      if (json.has("guidance")) {
        o.guidance(json.path("guidance").doubleValue());
      }
      if (json.has("hires")) {
        o.hires(json.path("hires").doubleValue());
      }
      if (json.has("width")) {
        o.width(json.path("width").intValue());
      }
      if (json.has("height")) {
        o.height(json.path("height").intValue());
      }
    }
  }

  /// @param folder where the images go
  ImagineBatch(CommandSpec spec, Path folder) {
    this.spec = spec;
    this.folder = folder;
  }

  /// The images that a text asks for; all its lines are checked before the first is made.
  List<Job> read(String text) {
    var jobs = new ArrayList<Job>();
    var files = new HashSet<Path>();
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      var job = job(number, line);
      if (!files.add(job.out)) {
        throw refuse(number, "\"out\" is " + job.out.getFileName() + ", as in a line before");
      }
      jobs.add(job);
    }
    if (jobs.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--batch-file has no lines; need JSON in each, such as {\"prompt\": \"a red circle\"}");
    }
    return jobs;
  }

  private Job job(int number, String line) {
    JsonNode json;
    try {
      json = new ObjectMapper().readTree(line);
    } catch (JsonProcessingException e) {
      throw refuse(number, "is no JSON: " + e.getOriginalMessage());
    }
    if (!json.path("prompt").isTextual()) {
      throw refuse(number, "has no \"prompt\"; need {\"prompt\": \"...\"}");
    }
    for (var field : json.properties()) {
      String key = field.getKey();
      var value = field.getValue();
      if (!TEXTS.contains(key) && !NUMBERS.contains(key)) {
        var known = new TreeSet<>(TEXTS);
        known.addAll(NUMBERS);
        throw refuse(number, "has \"%s\"; need some of %s".formatted(key, known));
      }
      boolean fits =
          TEXTS.contains(key)
              ? value.isTextual()
              : FRACTIONS.contains(key) ? value.isNumber() : value.isIntegralNumber();
      if (!fits) {
        throw refuse(
            number,
            "\"%s\" is %s; need a %s"
                .formatted(
                    key,
                    value,
                    TEXTS.contains(key)
                        ? "text"
                        : FRACTIONS.contains(key) ? "number" : "whole number"));
      }
    }
    String name = json.path("out").asText("%04d.png".formatted(number));
    boolean picture = name.toLowerCase(Locale.ROOT).matches(".*\\.(png|jpe?g)");
    if (!picture || name.contains("/") || name.contains("\\")) {
      throw refuse(
          number,
          "\"out\" is \"%s\"; need a file's name without a folder, .png or .jpg".formatted(name));
    }
    return new Job(number, json, folder.resolve(name));
  }

  private ParameterException refuse(int line, String what) {
    return new ParameterException(
        spec.commandLine(), "--batch-file: line %d %s".formatted(line, what));
  }
}
