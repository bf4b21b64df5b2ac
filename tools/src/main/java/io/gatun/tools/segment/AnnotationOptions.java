package io.gatun.tools.segment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.models.image.Image;
import io.gatun.models.sam.export.AnnotationFormat;
import io.gatun.models.sam.export.ImageMasks;
import io.gatun.models.sam.export.IndexMask;
import io.gatun.models.sam.export.LabelledMask;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.console.Texts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/// Masks as annotations, in the form that a tool reads.
public final class AnnotationOptions {
  public enum Format {
    COCO(null),
    YOLO(".txt"),
    LABELME(".json"),
    GEOJSON(".geojson"),
    INDEX(".png"),
    JSONL(null);

    /// Of the name of an image's file; null where all images share one.
    private final String ending;

    Format(String ending) {
      this.ending = ending;
    }
  }

  @Option(
      names = "--annotations",
      paramLabel = "PATH",
      description =
          "Write the masks as annotations: a file (coco, jsonl), or a folder with a file for each"
              + " image.")
  private Path path;

  @Option(
      names = "--format",
      paramLabel = "coco|yolo|labelme|geojson|index|jsonl",
      description =
          "Their form: COCO's polygons, YOLO's, LabelMe's, GeoJSON with pixels, PNG files of"
              + " objects' numbers, or a line of --json for each image as soon as it is done (the"
              + " default).")
  private Format format;

  @Option(
      names = "--label",
      paramLabel = "NAME",
      description = "What the objects are called there (default: --text, or object).")
  private String label;

  @Option(
      names = "--resume",
      description = "Leave out images of a folder that have annotations already; not with coco.")
  private boolean resume;

  private final List<ImageMasks> all = new ArrayList<>(); // of COCO
  private List<String> categories; // of YOLO
  private Set<String> done; // of JSONL

  boolean isGiven() {
    return path != null;
  }

  /// Refuses what does not go together.
  void check(CommandLine command) {
    if (path == null && (format != null || label != null || resume)) {
      throw new ParameterException(
          command, "--format, --label and --resume are of --annotations PATH, which is missing");
    }
    if (resume && format() == Format.COCO) {
      throw new ParameterException(
          command,
          "--resume cannot go on with one COCO file; give --format jsonl, or one of a file for each"
              + " image");
    }
    if (path != null && format().ending == null) {
      OutputFiles.checkFile(command, "--annotations", path, ".json", ".jsonl");
    }
  }

  /// What an object is called.
  String name(Target target) {
    if (target.label() != null) {
      return target.label();
    }
    return label != null ? label : target.text() != null ? target.text() : "object";
  }

  private Format format() {
    return format == null ? Format.JSONL : format;
  }

  /// Whether an image can be left out.
  ///
  /// @param name of the image's files
  boolean isDone(Path image, String name) {
    if (!resume) {
      return false;
    }
    if (format().ending != null) {
      return Files.exists(path.resolve(name + format().ending));
    }
    if (done == null) {
      done = namesIn(path);
    }
    return done.contains(image.toString());
  }

  /// Images that have a whole line; what an interruption has cut off is written again.
  private static Set<String> namesIn(Path file) {
    var names = new HashSet<String>();
    if (!Files.exists(file)) {
      return names;
    }
    var json = JsonMapper.builder().build();
    try {
      String text = Files.readString(file);
      int end = text.lastIndexOf('\n') + 1;
      for (String line : (Iterable<String>) text.substring(0, end).lines()::iterator) {
        JsonNode node = json.readTree(line);
        names.add(node.path("image").asText());
      }
      if (end < text.length()) {
        Files.writeString(file, text.substring(0, end));
      }
      return names;
    } catch (IOException e) {
      throw new UncheckedIOException(file + " is no file of such lines: " + e.getMessage(), e);
    }
  }

  /// Makes room: a file of lines begins anew unless it is to be gone on with.
  ///
  /// @param targets what will be looked for; none if it has no names
  void begin(List<Target> targets) {
    var all = targets.isEmpty() ? List.of(Target.UNNAMED) : targets;
    categories = all.stream().map(this::name).distinct().toList();
    if (path != null && format() == Format.JSONL && !resume) {
      Texts.write(path, "");
    }
  }

  /// Takes an image's masks.
  ///
  /// @param name of the image's files
  /// @param masks that were found, empty ones too
  /// @param line what --json says
  void add(
      Path image, String name, Image picture, List<LabelledMask> masks, Map<String, Object> line) {
    if (path == null) {
      return;
    }
    var objects = masks.stream().filter(m -> m.mask().area() > 0).toList();
    var found =
        new ImageMasks(image.getFileName().toString(), picture.width(), picture.height(), objects);
    switch (format()) {
      case COCO -> all.add(found);
      case JSONL -> append(Json.line(line));
      case YOLO -> {
        Texts.write(file(name), AnnotationFormat.yolo(found, categories));
        Texts.write(path.resolve("classes.txt"), String.join("\n", categories) + "\n");
      }
      case LABELME -> Texts.write(file(name), Json.of(AnnotationFormat.labelMe(found)) + "\n");
      case GEOJSON -> Texts.write(file(name), Json.of(AnnotationFormat.geoJson(found)) + "\n");
      case INDEX ->
          IndexMask.of(
                  picture.width(),
                  picture.height(),
                  objects.stream().map(LabelledMask::mask).toList())
              .write(file(name));
    }
  }

  private Path file(String name) {
    return Texts.createFolder(path).resolve(name + format().ending);
  }

  private void append(String line) {
    try {
      Files.writeString(path, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Writes what all images share.
  void end() {
    if (path != null && format() == Format.COCO) {
      Texts.write(path, Json.of(AnnotationFormat.coco(all)) + "\n");
    }
  }
}
