package io.gatun.loaders;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.gatun.loaders.file.SourceFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The files that a path means: itself, the shards that an index lists, a directory's model.
///
/// @param files in the order to open
/// @param metadata of the index, empty without one
/// @param shards where an index says that each tensor is, empty without one
record ModelFiles(List<Path> files, Map<String, Object> metadata, Map<String, Path> shards) {
  private static final List<String> NAMES =
      List.of(
          "model.safetensors",
          "model.safetensors.index.json",
          "diffusion_pytorch_model.safetensors",
          "diffusion_pytorch_model.safetensors.index.json",
          "consolidated.safetensors",
          "pytorch_model.bin",
          "pytorch_model.bin.index.json",
          "diffusion_pytorch_model.bin",
          "consolidated.00.pth");

  private static final Pattern CHECKPOINT =
      Pattern.compile(".*\\.(safetensors|gguf|pth|pt|bin|ckpt)");
  private static final Pattern SPLIT = Pattern.compile("(.*)-00001-of-(\\d{5})\\.gguf");
  private static final int MAX_METADATA = 1000;
  private static final long MAX_INDEX = 64 << 20;
  private static final int MAX_FILES = 10_000;

  /// A model of a trillion weights has a quarter of it.
  private static final int MAX_TENSORS = 1 << 19;

  /// @throws CheckpointException if there is nothing at the path that could be a checkpoint
  static ModelFiles find(Path path) {
    if (!Files.exists(path)) {
      throw new CheckpointException(path + ": there is no such file or directory");
    }
    Path file = Files.isDirectory(path) ? inDirectory(path) : path;
    return file.toString().endsWith(".index.json") ? fromIndex(file) : of(file);
  }

  private static ModelFiles of(Path file) {
    return new ModelFiles(List.of(file), Map.of(), Map.of());
  }

  private static Path inDirectory(Path directory) {
    for (String name : NAMES) {
      Path file = directory.resolve(name);
      if (Files.exists(file)) {
        if (Files.exists(directory.resolve("consolidated.01.pth"))
            && name.equals("consolidated.00.pth")) {
          throw new CheckpointException(
              directory
                  + ": consolidated.00.pth, consolidated.01.pth, ... hold slices of each tensor;"
                  + " use the model's Hugging Face form");
        }
        return file;
      }
    }
    return onlyCheckpoint(directory);
  }

  private static Path onlyCheckpoint(Path directory) {
    List<Path> found;
    boolean pipeline = Files.exists(directory.resolve("model_index.json"));
    try (var files = Files.list(directory)) {
      found =
          files
              .filter(f -> CHECKPOINT.matcher(f.getFileName().toString()).matches())
              .filter(Files::isRegularFile)
              .sorted()
              .toList();
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: cannot be listed: %s".formatted(directory, SourceFile.reason(e)), e);
    }
    if (found.isEmpty()) {
      throw new CheckpointException(
          "%s: no model in this directory (looked for %s, or one file *.safetensors, *.gguf, *.pth, *.pt, *.bin)%s"
              .formatted(
                  directory,
                  String.join(", ", NAMES),
                  pipeline
                      ? "; it is a Diffusers pipeline, so open one of its parts: "
                          + parts(directory)
                      : ""));
    }
    if (found.size() == 1 || isOneSplit(found)) {
      return found.getFirst();
    }
    throw new CheckpointException(
        "%s: %d checkpoints in this directory; name one of them: %s"
            .formatted(directory, found.size(), found.stream().map(Path::getFileName).toList()));
  }

  private static List<Path> parts(Path directory) {
    try (var files = Files.list(directory)) {
      return files
          .filter(Files::isDirectory)
          .filter(d -> NAMES.stream().anyMatch(n -> Files.exists(d.resolve(n))))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: cannot be listed: %s".formatted(directory, SourceFile.reason(e)), e);
    }
  }

  private static boolean isOneSplit(List<Path> files) {
    Matcher first = SPLIT.matcher(files.getFirst().getFileName().toString());
    return first.matches() && Integer.parseInt(first.group(2)) == files.size();
  }

  /// The files after the first of a model that llama.cpp split, none for others.
  ///
  /// @throws CheckpointException if the first file is not the first, or others are missing
  static List<Path> otherSplits(SourceFile first, Map<String, Object> metadata) {
    if (!(metadata.get("split.count") instanceof Long count) || count <= 1) {
      return List.of();
    }
    Matcher name = SPLIT.matcher(first.path().getFileName().toString());
    if (!name.matches() || Integer.parseInt(name.group(2)) != count || count > MAX_FILES) {
      throw first.error(
          "is part %s of a model in %d files; open the first, NAME-00001-of-%05d.gguf, with the others beside it"
              .formatted(metadata.get("split.no"), count, count));
    }
    var others = new ArrayList<Path>();
    for (int i = 2; i <= count; i++) {
      String other = String.format(Locale.ROOT, "%s-%05d-of-%05d.gguf", name.group(1), i, count);
      others.add(existing(first.path().resolveSibling(other), first.path()));
    }
    return others;
  }

  private static Path existing(Path file, Path namedBy) {
    if (!Files.isRegularFile(file)) {
      throw new CheckpointException(
          "%s: is not there, but %s needs it: the download is incomplete"
              .formatted(file, namedBy.getFileName()));
    }
    return file;
  }

  private static ModelFiles fromIndex(Path index) {
    try (var in = Files.newInputStream(index);
        // Made only here: its start costs more than opening a file.
        var json = new JsonFactory().createParser(in)) {
      if (Files.size(index) > MAX_INDEX) {
        throw new CheckpointException(
            "%s: larger than %d bytes, too much for an index".formatted(index, MAX_INDEX));
      }
      return fromIndex(index, json);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(
          "%s: not the JSON it should be: %s".formatted(index, e.getOriginalMessage()), e);
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: cannot be read: %s".formatted(index, SourceFile.reason(e)), e);
    }
  }

  private static ModelFiles fromIndex(Path index, JsonParser json) throws IOException {
    var metadata = new LinkedHashMap<String, Object>();
    var shards = new LinkedHashMap<String, Path>();
    if (json.nextToken() == JsonToken.START_OBJECT) {
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        boolean object = json.nextToken() == JsonToken.START_OBJECT;
        if (object && key.equals("weight_map")) {
          readShards(index, json, shards);
        } else if (object && key.equals("metadata")) {
          readMetadata(index, json, metadata);
        } else {
          json.skipChildren();
        }
      }
    }
    if (shards.isEmpty() || json.nextToken() != null) {
      throw new CheckpointException(
          index + ": no weight_map, the object from tensor names to files that an index has");
    }
    var files = List.copyOf(new LinkedHashSet<>(shards.values()));
    if (files.size() > MAX_FILES) {
      throw new CheckpointException(
          "%s: names %d files; at most %d are read".formatted(index, files.size(), MAX_FILES));
    }
    files.forEach(file -> existing(file, index));
    return new ModelFiles(files, metadata, shards);
  }

  private static void readShards(Path index, JsonParser json, Map<String, Path> shards)
      throws IOException {
    var files = new HashMap<String, Path>();
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String tensor = json.currentName();
      if (json.nextToken() != JsonToken.VALUE_STRING) {
        throw noShard(index, tensor, json.getText());
      }
      Path file = files.computeIfAbsent(json.getText(), name -> shard(index, tensor, name));
      if (shards.put(tensor, file) != null) {
        throw new CheckpointException(
            "%s: tensor \"%s\" is in the weight_map twice".formatted(index, tensor));
      }
      if (shards.size() > MAX_TENSORS) {
        throw new CheckpointException(
            "%s: names more than %d tensors, too many for a model".formatted(index, MAX_TENSORS));
      }
    }
  }

  /// What an index says of the whole, which is its size and sometimes a few words.
  private static void readMetadata(Path index, JsonParser json, Map<String, Object> metadata)
      throws IOException {
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      switch (json.nextToken()) {
        case VALUE_STRING -> metadata.put(key, json.getText());
        case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> metadata.put(key, json.getNumberValue());
        case VALUE_TRUE, VALUE_FALSE -> metadata.put(key, json.getBooleanValue());
        default -> json.skipChildren();
      }
      if (metadata.size() > MAX_METADATA) {
        throw new CheckpointException(
            "%s: more than %d metadata entries, too many for an index"
                .formatted(index, MAX_METADATA));
      }
    }
  }

  /// A shard lies beside its index: a name that leads elsewhere is refused.
  private static Path shard(Path index, String tensor, String name) {
    if (name.isEmpty()
        || name.equals(".")
        || name.equals("..")
        || name.chars().anyMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ')) {
      throw noShard(index, tensor, quoted(name));
    }
    try {
      return index.resolveSibling(name);
    } catch (InvalidPathException e) {
      throw new CheckpointException(
          "%s: the shard of tensor \"%s\" is %s, which is no file name here"
              .formatted(index, tensor, quoted(name)),
          e);
    }
  }

  private static CheckpointException noShard(Path index, String tensor, String found) {
    return new CheckpointException(
        "%s: the shard of tensor \"%s\" is %s; need the plain name of a file in the same directory"
            .formatted(index, tensor, found));
  }

  private static String quoted(String text) {
    return "\"" + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + "\"";
  }

  /// @throws CheckpointException if a tensor is not in the file where the index says
  void check(Map<String, Path> found) {
    shards.forEach(
        (tensor, file) -> {
          if (!file.equals(found.get(tensor))) {
            throw new CheckpointException(
                "%s: no tensor \"%s\", though the index says so; they are not of one model"
                    .formatted(file, tensor));
          }
        });
  }
}
