package io.gatun.models.sam.coco;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.models.sam.Rle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Annotations of objects in images: a file in COCO's format, such as `instances_val2017.json`.
public final class CocoFile {
  private static final JsonMapper JSON = JsonMapper.builder().build();

  private final Path file;
  private final Map<Long, CocoImage> images = new LinkedHashMap<>();
  private final Map<Long, String> categories = new HashMap<>();
  private final List<CocoAnnotation> annotations = new ArrayList<>();

  private CocoFile(Path file) {
    this.file = file;
  }

  /// Reads annotations.
  ///
  /// @throws IllegalArgumentException if the file is not in COCO's format
  /// @throws UncheckedIOException if it cannot be read
  public static CocoFile read(Path file) {
    var coco = new CocoFile(file);
    try (var in = Files.newInputStream(file);
        JsonParser parser = JSON.createParser(in)) {
      coco.parse(parser);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "%s: this is not valid JSON: %s".formatted(file, e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return coco.checked();
  }

  /// The images that have annotations, by their numbers, and what each has, in the file's order.
  public Map<CocoImage, List<CocoAnnotation>> byImage() {
    var all = new LinkedHashMap<CocoImage, List<CocoAnnotation>>();
    var byId = new HashMap<Long, List<CocoAnnotation>>();
    annotations.forEach(a -> byId.computeIfAbsent(a.imageId(), _ -> new ArrayList<>()).add(a));
    byId.keySet().stream().sorted().forEach(id -> all.put(images.get(id), byId.get(id)));
    return all;
  }

  /// All annotations, in the file's order.
  public List<CocoAnnotation> annotations() {
    return List.copyOf(annotations);
  }

  /// A category's name; its number where the file does not name it.
  public String category(CocoAnnotation annotation) {
    long id = annotation.categoryId();
    return categories.getOrDefault(id, Long.toString(id));
  }

  private void parse(JsonParser parser) throws IOException {
    if (parser.nextToken() != JsonToken.START_OBJECT) {
      throw refusal("no JSON object");
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String name = parser.currentName();
      boolean list = parser.nextToken() == JsonToken.START_ARRAY;
      switch (name) {
        case "images", "annotations", "categories" -> {
          while (list && parser.nextToken() != JsonToken.END_ARRAY) {
            JsonNode node = JSON.readTree(parser);
            switch (name) {
              case "images" -> addImage(node);
              case "categories" -> categories.put(id(node, "id", name), node.path("name").asText());
              default -> annotations.add(annotation(node));
            }
          }
        }
        default -> parser.skipChildren();
      }
    }
  }

  private void addImage(JsonNode node) {
    var image =
        new CocoImage(
            id(node, "id", "images"),
            node.path("file_name").asText(),
            node.path("width").asInt(),
            node.path("height").asInt());
    if (image.fileName().isEmpty() || image.width() < 1 || image.height() < 1) {
      throw refusal("image %d has no file_name, width or height".formatted(image.id()));
    }
    images.put(image.id(), image);
  }

  private CocoAnnotation annotation(JsonNode node) {
    long id = id(node, "id", "annotations");
    JsonNode shape = node.path("segmentation");
    var polygons = new ArrayList<double[]>();
    Rle rle = null;
    if (shape.isArray() && !shape.isEmpty()) {
      for (JsonNode polygon : shape) {
        polygons.add(numbers(polygon, id));
      }
    } else if (shape.isObject()) {
      rle = rle(shape, id);
    } else {
      throw refusal("annotation " + id + " has a segmentation of neither polygons nor run lengths");
    }
    return new CocoAnnotation(
        id,
        id(node, "image_id", "annotations"),
        id(node, "category_id", "annotations"),
        polygons,
        rle);
  }

  private Rle rle(JsonNode shape, long id) {
    int height = shape.path("size").path(0).asInt();
    int width = shape.path("size").path(1).asInt();
    JsonNode counts = shape.path("counts");
    try {
      if (counts.isTextual()) {
        return Rle.parse(counts.asText(), width, height);
      }
      double[] runs = numbers(counts, id);
      var lengths = new int[runs.length];
      for (int i = 0; i < runs.length; i++) {
        lengths[i] = (int) runs[i];
      }
      return new Rle(width, height, lengths);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw refusal("annotation %d: %s".formatted(id, e.getMessage()));
    }
  }

  private double[] numbers(JsonNode list, long id) {
    var numbers = new double[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!list.path(i).isNumber()) {
        throw refusal("annotation %d has %s where a number belongs".formatted(id, list.path(i)));
      }
      numbers[i] = list.path(i).asDouble();
    }
    return numbers;
  }

  private long id(JsonNode node, String key, String of) {
    if (!node.path(key).canConvertToLong()) {
      throw refusal("an entry of %s has no whole number %s".formatted(of, key));
    }
    return node.path(key).asLong();
  }

  private CocoFile checked() {
    for (CocoAnnotation a : annotations) {
      if (!images.containsKey(a.imageId())) {
        throw refusal(
            "annotation %d is about image %d, which is not there".formatted(a.id(), a.imageId()));
      }
    }
    if (annotations.isEmpty()) {
      throw refusal("no annotations");
    }
    return this;
  }

  private IllegalArgumentException refusal(String found) {
    return new IllegalArgumentException(
        file
            + ": found "
            + found
            + "; need annotations in COCO's format, with images, annotations and categories");
  }
}
