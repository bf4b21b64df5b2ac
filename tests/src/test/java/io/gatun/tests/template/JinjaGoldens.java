package io.gatun.tests.template;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.models.template.Template;
import io.gatun.models.template.TemplateError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What transformers renders, from a folder with `templates`, `golden` and `conversations.json`.
final class JinjaGoldens {
  static final ObjectMapper JSON = new ObjectMapper();

  private final Path folder;
  private final JsonNode conversations;
  final Clock clock;

  JinjaGoldens(Path folder) throws IOException {
    this.folder = folder;
    JsonNode file = JSON.readTree(folder.resolve("conversations.json").toFile());
    conversations = file.get("conversations");
    var now = LocalDateTime.parse(file.get("strftime_now").asText());
    clock = Clock.fixed(now.toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
  }

  /// The files of expected texts.
  List<Path> files() throws IOException {
    try (var files = Files.list(folder.resolve("golden"))) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
  }

  String template(JsonNode golden) throws IOException {
    return Files.readString(folder.resolve(golden.get("template").asText()));
  }

  JsonNode conversation(String name) {
    return conversations.get(name);
  }

  /// The variables of a case.
  Map<String, Object> variables(JsonNode golden, JsonNode expected) {
    JsonNode conversation = conversation(expected.get("conversation").asText());
    var variables = new HashMap<String, Object>();
    variables.put("tools", JSON.convertValue(conversation.path("tools"), Object.class));
    variables.put("documents", null);
    variables.put("messages", JSON.convertValue(conversation.get("messages"), Object.class));
    variables.put("add_generation_prompt", expected.get("add_generation_prompt").asBoolean());
    golden
        .get("special_tokens")
        .properties()
        .forEach(token -> variables.put(token.getKey(), Template.own(token.getValue().asText())));
    expected
        .path("kwargs")
        .properties()
        .forEach(
            value ->
                variables.put(value.getKey(), JSON.convertValue(value.getValue(), Object.class)));
    return variables;
  }

  /// The cases that came out otherwise than expected, described.
  List<String> differences(Path file) throws IOException {
    JsonNode golden = JSON.readTree(file.toFile());
    var template = Template.parse(template(golden));
    var wrong = new ArrayList<String>();
    for (JsonNode expected : golden.get("cases")) {
      String where = "%s, %s: ".formatted(file.getFileName(), expected.toString().substring(0, 80));
      String text = null;
      String message = null;
      try {
        text = template.render(variables(golden, expected), clock).text();
      } catch (TemplateError e) {
        message = e.getMessage();
      }
      if (expected.has("text") && !expected.get("text").asText().equals(text)) {
        wrong.add(
            where + (text == null ? message : difference(text, expected.get("text").asText())));
      }
      JsonNode error = expected.path("error");
      if (expected.has("error") && text != null) {
        wrong.add(where + "no error, but " + text);
      } else if (error.path("raised_by_template").asBoolean()
          && !error.get("message").asText().equals(message)) {
        wrong.add(where + message + "\nnot: " + error.get("message").asText());
      }
    }
    return wrong;
  }

  int cases(Path file) throws IOException {
    return JSON.readTree(file.toFile()).get("cases").size();
  }

  private static String difference(String found, String expected) {
    int i = 0;
    while (i < Math.min(found.length(), expected.length())
        && found.charAt(i) == expected.charAt(i)) {
      i++;
    }
    int from = Math.max(0, i - 40);
    return "at %d:\n%s\nnot:\n%s"
        .formatted(
            i,
            found.substring(from, Math.min(found.length(), i + 60)),
            expected.substring(from, Math.min(expected.length(), i + 60)));
  }
}
