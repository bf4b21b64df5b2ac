package io.gatun.loaders;

import com.fasterxml.jackson.core.JsonFactory;
import io.gatun.loaders.file.NewFile;
import io.gatun.loaders.file.TiledEntry;
import io.gatun.loaders.safetensors.SafetensorsReader;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;

/// Writes a .safetensors file: declare everything, then [#write(Path)].
///
/// Tensors whose bytes are a multiple of 64 lie first, each at a multiple of 64; the rest follow by
/// falling alignment, so that every tensor is aligned to its elements with no hole between, for the
/// format allows none. The bytes are asked for in that order, the header keeps the declared one.
///
/// A [DType.Tiled] tensor is written as bytes, dtype U8, with a metadata entry that says what it is
/// (`gatun.tiled.NAME` = `INT4_G32 4096 11008`); [Checkpoint#open] shows it as declared.
public final class SafetensorsWriter {
  private static final int ALIGNMENT = 64;

  private record Declared(DType dtype, Shape shape, TensorData data) {
    long alignment() {
      return Long.lowestOneBit(dtype.byteSize(shape) | ALIGNMENT);
    }
  }

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Declared> tensors = new LinkedHashMap<>();

  /// A writer to which nothing is declared yet.
  public SafetensorsWriter() {}

  /// Declares a metadata entry.
  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /// Declares a tensor that is there already.
  ///
  /// @throws IllegalArgumentException if it is not contiguous, or as for the other `add`
  public SafetensorsWriter add(String name, Tensor tensor) {
    if (!tensor.isContiguous()) {
      throw new IllegalArgumentException("tensor \"" + name + "\" is a view with gaps; copy it");
    }
    return add(name, tensor.dtype(), tensor.shape(), sink -> sink.write(tensor.segment()));
  }

  /// Declares a tensor whose bytes `data` gives when they are written.
  ///
  /// @throws IllegalArgumentException if the name is taken, or the format has no such type
  public SafetensorsWriter add(String name, DType dtype, Shape shape, TensorData data) {
    if (dtype instanceof DType.Block) {
      throw new IllegalArgumentException(
          "safetensors has no type %s, of tensor \"%s\"; write GGUF".formatted(dtype.name(), name));
    }
    if (name.equals("__metadata__") || tensors.containsKey(name)) {
      throw new IllegalArgumentException("the name \"" + name + "\" is taken");
    }
    tensors.put(name, new Declared(dtype, shape, data));
    if (dtype instanceof DType.Tiled tiled) {
      metadata.put(TiledEntry.KEY + name, new TiledEntry(tiled, shape).toString());
    }
    return this;
  }

  /// Writes the file, which replaces one of that name when it is complete; after a failure nothing
  /// is left of it.
  ///
  /// @throws CheckpointException if it cannot be written
  /// @throws IllegalArgumentException if a tensor's data are more or fewer bytes than declared
  public void write(Path path) {
    var inOrder =
        tensors.entrySet().stream()
            .sorted(Comparator.comparingLong(e -> -e.getValue().alignment()))
            .toList();
    var offsets = new LinkedHashMap<String, Long>();
    long end = 0;
    for (var e : inOrder) {
      offsets.put(e.getKey(), end);
      end = Math.addExact(end, e.getValue().dtype.byteSize(e.getValue().shape));
    }
    byte[] header = header(offsets);
    if (header.length > SafetensorsReader.MAX_HEADER) {
      throw new IllegalArgumentException(
          "a header of %d bytes; the format allows %d"
              .formatted(header.length, SafetensorsReader.MAX_HEADER));
    }
    try (var file = new NewFile(path)) {
      file.write(MemorySegment.ofArray(header));
      for (var e : inOrder) {
        var t = e.getValue();
        file.write(e.getKey(), t.dtype, t.shape, t.data);
      }
      file.commit();
    }
  }

  /// The length and the JSON, padded with spaces so that the data begin aligned.
  private byte[] header(Map<String, Long> offsets) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(new byte[8]);
    try (var json = new JsonFactory().createGenerator(out)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart("__metadata__");
        for (var e : metadata.entrySet()) {
          json.writeStringField(e.getKey(), e.getValue());
        }
        json.writeEndObject();
      }
      for (var e : tensors.entrySet()) {
        var t = e.getValue();
        long bytes = t.dtype.byteSize(t.shape);
        boolean tiled = t.dtype instanceof DType.Tiled;
        long[] dims = tiled ? new long[] {bytes} : t.shape.dims();
        long begin = offsets.get(e.getKey());
        json.writeObjectFieldStart(e.getKey());
        json.writeStringField("dtype", tiled ? DType.Plain.U8.name() : t.dtype.name());
        json.writeFieldName("shape");
        json.writeArray(dims, 0, dims.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {begin, begin + bytes}, 0, 2);
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    while (out.size() % ALIGNMENT != 0) {
      out.write(' ');
    }
    byte[] header = out.toByteArray();
    MemorySegment.ofArray(header)
        .set(
            SafetensorsReader.LENGTH,
            0,
            (long) header.length - SafetensorsReader.LENGTH.byteSize());
    return header;
  }
}
