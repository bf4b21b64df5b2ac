package io.gatun.loaders;

import io.gatun.loaders.file.NewFile;
import io.gatun.loaders.file.TiledEntry;
import io.gatun.loaders.gguf.GgufReader;
import io.gatun.loaders.gguf.GgufType;
import io.gatun.loaders.gguf.GgufValues;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/// Writes a .gguf file, version 3: declare everything, then [#write(Path)].
///
/// A [DType.Tiled] tensor is written as bytes, type I8, with a metadata entry that says what it is
/// (`gatun.tiled.NAME` = `INT4_G32 4096 11008`); [Checkpoint#open] shows it as declared. Other
/// programs can list such a file, but not run the model.
public final class GgufWriter {
  private static final int VERSION = 3;
  private static final int ALIGNMENT = (int) GgufReader.DEFAULT_ALIGNMENT;

  /// A cache line, which the widest vectors of a tile fill.
  private static final int TILED_ALIGNMENT = 64;

  private record Declared(DType dtype, Shape shape, TensorData data) {}

  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final Map<String, Declared> tensors = new LinkedHashMap<>();
  private int alignment = ALIGNMENT;

  /// A writer to which nothing is declared yet.
  public GgufWriter() {}

  /// Declares a metadata entry.
  ///
  /// Integers become UINT32, as nearly all of llama.cpp's are, INT32 if negative, INT64 or UINT64
  /// if larger. Float becomes FLOAT32, Double FLOAT64; Boolean, String and lists of one type are as
  /// they are, lists of integers INT32 or INT64. Lists from a GGUF file keep their type.
  ///
  /// @throws IllegalArgumentException if GGUF cannot hold the value, or it is general.alignment
  public GgufWriter metadata(String key, Object value) {
    if (key.equals(GgufReader.ALIGNMENT)) {
      throw new IllegalArgumentException(key + " is the writer's to choose");
    }
    GgufValues.type(value);
    metadata.put(key, value);
    return this;
  }

  /// Declares a tensor that is there already.
  ///
  /// @throws IllegalArgumentException if it is not contiguous, or as for the other `add`
  public GgufWriter add(String name, Tensor tensor) {
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException("tensor \"" + name + "\" is a view with gaps; copy it");
    }
    return add(name, tensor.dtype(), tensor.shape(), sink -> sink.write(tensor.segment()));
  }

  /// Declares a tensor whose bytes `data` gives when they are written.
  ///
  /// @throws IllegalArgumentException if the name is taken, or GGUF has no such type or shape
  public GgufWriter add(String name, DType dtype, Shape shape, TensorData data) {
    if (dtype instanceof DType.Tiled tiled) {
      var bytes = Shape.of(tiled.byteSize(shape));
      add(name, DType.Plain.I8, bytes, data);
      metadata.put(TiledEntry.KEY + name, new TiledEntry(tiled, shape).toString());
      alignment = TILED_ALIGNMENT;
      metadata.put(GgufReader.ALIGNMENT, alignment);
      return this;
    }
    GgufType.number(dtype);
    if (shape.rank() > 4 || (shape.rank() > 0 && shape.dim(-1) % dtype.blockSize() != 0)) {
      throw new IllegalArgumentException(
          "tensor \"%s\" is %s; GGUF has up to 4 dimensions, and rows of whole %s blocks"
              .formatted(name, shape, dtype.name()));
    }
    if (tensors.putIfAbsent(name, new Declared(dtype, shape, data)) != null) {
      throw new IllegalArgumentException("the name \"" + name + "\" is taken");
    }
    return this;
  }

  /// Writes the file, which replaces one of that name when it is complete; after a failure nothing
  /// is left of it.
  ///
  /// @throws CheckpointException if it cannot be written
  /// @throws IllegalArgumentException if a tensor's data are more or fewer bytes than declared
  public void write(Path path) {
    var header = new GgufValues();
    header.i32(GgufReader.MAGIC);
    header.i32(VERSION);
    header.i64(tensors.size());
    header.i64(metadata.size());
    metadata.forEach(
        (key, value) -> {
          header.string(key);
          header.typed(value);
        });
    long offset = 0;
    for (var e : tensors.entrySet()) {
      var t = e.getValue();
      header.string(e.getKey());
      header.i32(t.shape.rank());
      for (int d = t.shape.rank() - 1; d >= 0; d--) {
        header.i64(t.shape.dim(d));
      }
      header.i32(GgufType.number(t.dtype));
      header.i64(offset);
      offset =
          Math.ceilDiv(Math.addExact(offset, t.dtype.byteSize(t.shape)), (long) alignment)
              * alignment;
    }
    try (var file = new NewFile(path)) {
      file.write(MemorySegment.ofArray(header.toByteArray()));
      file.pad(alignment);
      for (var e : tensors.entrySet()) {
        var t = e.getValue();
        file.write(e.getKey(), t.dtype, t.shape, t.data);
        file.pad(alignment);
      }
      file.commit();
    }
  }
}
