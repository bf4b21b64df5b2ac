package io.gatun.loaders;

import io.gatun.ffm.RawArena;
import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.HeapBudget;
import io.gatun.loaders.file.SourceFile;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// One file or several, opened together.
final class LoadedCheckpoint implements Checkpoint {
  private static final int MAX_ALIGNMENT = 4096;

  /// Advice is given by pieces, so that closing need not wait for the disk.
  private static final long READ_AHEAD = 64L << 20;

  private final Path path;
  private final RawArena arena = new RawArena();
  private final List<SourceFile> sources = new ArrayList<>();
  private final List<Part> parts = new ArrayList<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, Path> files = new LinkedHashMap<>();
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private Format format;

  private LoadedCheckpoint(Path path) {
    this.path = path;
  }

  static Checkpoint open(Path path, LoadMode mode) {
    var checkpoint = new LoadedCheckpoint(path);
    try {
      checkpoint.load(ModelFiles.find(path), mode);
      return checkpoint;
    } catch (RuntimeException e) {
      checkpoint.close();
      throw Interruption.or(e);
    } catch (Error e) {
      checkpoint.close();
      throw e;
    }
  }

  private void load(ModelFiles found, LoadMode mode) {
    metadata.putAll(found.metadata());
    var files = new ArrayList<>(found.files());
    var budget = new HeapBudget();
    for (int i = 0; i < files.size(); i++) {
      var file = SourceFile.open(files.get(i), mode, arena, budget);
      FileContents contents = FileType.read(file);
      if (i == 0) {
        format = contents.format();
        files.addAll(ModelFiles.otherSplits(file, contents.metadata()));
      }
      add(file, contents);
    }
    found.check(this.files);
  }

  private void add(SourceFile file, FileContents contents) {
    if (contents.format() != format) {
      throw file.error("is %s, but %s is %s".formatted(contents.format(), path, format));
    }
    long offsets = MAX_ALIGNMENT;
    for (var e : contents.tensors().entrySet()) {
      if (tensors.putIfAbsent(e.getKey(), e.getValue()) != null) {
        throw file.error("tensor \"%s\" is in %s too".formatted(e.getKey(), files.get(e.getKey())));
      }
      files.put(e.getKey(), file.path());
      offsets |= file.offsetOf(e.getValue().segment());
    }
    contents.metadata().forEach(metadata::putIfAbsent);
    sources.add(file);
    parts.add(
        new Part(
            file.path(),
            file.size(),
            contents.version(),
            contents.tensors().size(),
            (int) Long.lowestOneBit(offsets)));
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public Format format() {
    return format;
  }

  @Override
  public List<Part> parts() {
    return Collections.unmodifiableList(parts);
  }

  @Override
  public Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  @Override
  public Map<String, Object> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  @Override
  public Tensor tensor(String name) {
    if (isClosed()) {
      throw new IllegalStateException(path + ": the checkpoint is closed");
    }
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw missing(name);
    }
    return tensor;
  }

  @Override
  public Path file(String tensor) {
    Path file = files.get(tensor);
    if (file == null) {
      throw missing(tensor);
    }
    return file;
  }

  private CheckpointException missing(String name) {
    return new CheckpointException(
        "%s: no tensor \"%s\" among its %d. List them with: gatun inspect %s"
            .formatted(path, name, tensors.size(), path));
  }

  @Override
  public Arena memory() {
    return arena;
  }

  @Override
  public void readAhead() {
    Thread.ofPlatform().daemon().name("gatun-read-ahead").start(this::adviseAll);
  }

  @Override
  public void unload() {
    sources.forEach(SourceFile::unload);
  }

  /// A piece may be advised on just after it was unmapped, which the system takes for what it is:
  /// advice.
  private void adviseAll() {
    for (SourceFile file : sources) {
      for (long at = 0; at < file.size() && !isClosed(); at += READ_AHEAD) {
        file.willNeed(at, Math.min(READ_AHEAD, file.size() - at));
      }
    }
  }

  /// `Checkpoint(model.gguf: GGUF, 201 tensors, 668.8 MB)`.
  @Override
  public String toString() {
    if (isClosed()) {
      return "Checkpoint(%s: closed)".formatted(path.getFileName());
    }
    long bytes = parts.stream().mapToLong(Part::bytes).sum();
    return String.format(
        Locale.ROOT,
        "Checkpoint(%s: %s, %d tensors, %.1f MB)",
        path.getFileName(),
        format,
        tensors.size(),
        bytes / 1e6);
  }

  @Override
  public boolean isClosed() {
    return !arena.scope().isAlive();
  }

  @Override
  public void close() {
    arena.close();
  }
}
