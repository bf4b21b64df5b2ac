package io.gatun.tools.segment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Prompt;
import io.gatun.tools.options.TextOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/// Objects that are to be found in one or more images, a line of JSON each.
final class SegmentBatch {
  private static final List<String> KEYS = List.of("box", "image", "label", "points", "text");
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final CommandSpec spec;
  private final Path images;
  private final boolean folder;
  private final Map<Path, List<Line>> byImage = new LinkedHashMap<>();

  private record Line(int number, Target target) {}

  private SegmentBatch(CommandSpec spec, Path images) {
    this.spec = spec;
    this.images = images;
    folder = Files.isDirectory(images);
  }

  /// Reads a file, or standard input; all its lines are checked.
  ///
  /// @param images the image that all lines are about, or the folder of those that they name
  static SegmentBatch read(CommandSpec spec, Path file, Path images) {
    var batch = new SegmentBatch(spec, images);
    int number = 0;
    for (String line : TextOptions.read(file, spec).lines().toList()) {
      number++;
      if (!line.isBlank()) {
        batch.add(number, line);
      }
    }
    if (batch.byImage.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--batch-file has no lines; need JSON in each, such as {\"image\": \"photo.jpg\","
              + " \"box\": [10, 20, 300, 240]}");
    }
    return batch;
  }

  private void add(int number, String line) {
    JsonNode json;
    try {
      json = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw refuse(number, "is no JSON: " + e.getOriginalMessage());
    }
    if (!json.isObject()) {
      throw refuse(number, "is no JSON object; need {\"image\": ..., \"points\": ...}");
    }
    json.fieldNames()
        .forEachRemaining(
            key -> {
              if (!KEYS.contains(key)) {
                throw refuse(number, "has \"%s\"; need some of %s".formatted(key, KEYS));
              }
            });
    String text = string(number, json, "text");
    var prompt = prompt(number, json);
    if ((prompt == null) == (text == null)) {
      throw refuse(
          number,
          prompt == null
              ? "does not say what to segment; need \"points\", \"box\" or \"text\""
              : "has a \"text\", which says where the object is; leave out \"points\" and \"box\"");
    }
    var target = new Target(prompt, text, string(number, json, "label"));
    byImage
        .computeIfAbsent(image(number, json), _ -> new ArrayList<>())
        .add(new Line(number, target));
  }

  private String string(int number, JsonNode json, String key) {
    var value = json.path(key);
    if (!value.isMissingNode() && (!value.isTextual() || value.textValue().isBlank())) {
      throw refuse(number, "\"%s\" is %s; need a text".formatted(key, value));
    }
    return value.textValue();
  }

  private Path image(int number, JsonNode json) {
    String name = string(number, json, "image");
    if (!folder) {
      if (name != null && !name.equals(images.getFileName().toString())) {
        throw refuse(
            number,
            "\"image\" is \"%s\", and --image is %s; for several images give their folder"
                .formatted(name, images));
      }
      return images;
    }
    if (name == null || name.contains("/") || name.contains("\\")) {
      throw refuse(
          number,
          "\"image\" is %s; need the name of a file in the folder %s"
              .formatted(
                  json.path("image").isMissingNode() ? "missing" : json.path("image"), images));
    }
    Path file = images.resolve(name);
    if (!Files.isRegularFile(file)) {
      throw refuse(number, "\"image\": there is no file " + file);
    }
    return file;
  }

  /// Null without points and box.
  private Prompt prompt(int number, JsonNode json) {
    Prompt prompt = null;
    var points = json.path("points");
    if (!points.isMissingNode() && (!points.isArray() || points.isEmpty())) {
      throw refuse(number, "\"points\" is %s; need a list of them".formatted(points));
    }
    try {
      for (var point : points) {
        float[] p = numbers(number, point, "points", 2, 3);
        if (p.length == 3 && p[2] != Prompt.FOREGROUND && p[2] != Prompt.BACKGROUND) {
          throw refuse(number, "has a point labelled " + point.get(2) + "; need 1 or 0");
        }
        boolean on = p.length < 3 || p[2] == Prompt.FOREGROUND;
        prompt = PromptOptions.withPoint(prompt, p[0], p[1], on);
      }
      if (json.has("box")) {
        float[] b = numbers(number, json.path("box"), "box", 4, 4);
        prompt =
            prompt == null
                ? Prompt.box(b[0], b[1], b[2], b[3])
                : prompt.withBox(b[0], b[1], b[2], b[3]);
      }
    } catch (IllegalArgumentException e) {
      throw refuse(number, e.getMessage());
    }
    return prompt;
  }

  private float[] numbers(int number, JsonNode list, String key, int least, int most) {
    var numbers = new float[list.size()];
    boolean good = list.isArray() && numbers.length >= least && numbers.length <= most;
    for (int i = 0; i < numbers.length && good; i++) {
      good = list.get(i).isNumber();
      numbers[i] = list.get(i).floatValue();
    }
    if (!good) {
      throw refuse(
          number,
          "\"%s\" has %s; need %s"
              .formatted(key, list, least == 4 ? "[x0, y0, x1, y1]" : "[x, y] or [x, y, 0]"));
    }
    return numbers;
  }

  /// In the order of their first lines.
  List<Path> images() {
    return List.copyOf(byImage.keySet());
  }

  /// What is looked for in all images.
  List<Target> targets() {
    return byImage.values().stream().flatMap(List::stream).map(Line::target).toList();
  }

  /// What is looked for in an image.
  ///
  /// @throws IllegalArgumentException if a point or box is outside of it
  List<Target> targets(Path file, Image picture) {
    var targets = new ArrayList<Target>();
    for (var line : byImage.get(file)) {
      try {
        if (line.target.prompt() != null) {
          line.target.prompt().checkInside(picture.width(), picture.height());
        }
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("line %d: %s".formatted(line.number, e.getMessage()), e);
      }
      targets.add(line.target);
    }
    return targets;
  }

  private ParameterException refuse(int line, String what) {
    return new ParameterException(
        spec.commandLine(), "--batch-file: line %d %s".formatted(line, what));
  }
}
