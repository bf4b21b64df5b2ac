package io.gatun.loaders.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.file.Extent;
import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.SourceFile;
import io.gatun.loaders.file.TiledEntry;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Reads a .safetensors file: 8 bytes of header length, a JSON header, the tensors' bytes.
///
/// Source: the format's description and checks in <https://github.com/huggingface/safetensors>.
/// Like the reference it refuses files whose tensors overlap or leave bytes unused.
public final class SafetensorsReader {
  /// The reference's limit too.
  public static final long MAX_HEADER = 100_000_000;

  /// The header's length, with which the file begins.
  public static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int MAX_TENSORS = 1 << 18;
  private static final int MAX_DIMS = 64;

  /// About what a tensor, and an entry of the metadata, takes of the heap beside its name.
  private static final int TENSOR = 512;

  private static final int ENTRY = 128;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          // Names occur once: to keep them for all time would only take memory.
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private record Entry(String dtype, Shape shape, long begin, long end) {}

  private final SourceFile file;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, Object> metadata = new LinkedHashMap<>();

  private SafetensorsReader(SourceFile file) {
    this.file = file;
  }

  /// Reads the header, and makes the tensors views of the file.
  ///
  /// @throws CheckpointException if the file is damaged
  public static FileContents read(SourceFile file) {
    return new SafetensorsReader(file).read();
  }

  private FileContents read() {
    long length = file.longAt(0, "the header's length");
    if (length < 2 || length > MAX_HEADER || length > file.size() - 8) {
      throw file.error(
          "the header's length is %s bytes; the file has %d after it, and the format allows 2 to %d: it is truncated, damaged or no safetensors file; get it again"
              .formatted(Long.toUnsignedString(length), file.size() - 8, MAX_HEADER));
    }
    file.allow(length);
    try (var in = file.stream(8, (int) length, "the header");
        var json = JSON.createParser(in)) {
      readHeader(json);
    } catch (JsonProcessingException e) {
      throw file.error("the header is not the JSON it should be: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw file.error("the header cannot be read: " + e.getMessage(), e);
    }
    long dataStart = 8 + length;
    checkExtents(file.size() - dataStart);

    var tensors = new LinkedHashMap<String, Tensor>();
    entries.forEach((name, entry) -> tensors.put(name, tensor(name, entry, dataStart)));
    for (String key : metadata.keySet()) {
      if (key.startsWith(TiledEntry.KEY)) {
        throw file.error("metadata \"%s\" names a tensor that is not in the file".formatted(key));
      }
    }
    return new FileContents(Format.SAFETENSORS, "safetensors", tensors, metadata);
  }

  private void readHeader(JsonParser json) throws IOException {
    expect(json, json.nextToken(), JsonToken.START_OBJECT, "the header");
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String name = json.currentName();
      file.spend(TENSOR + 2L * name.length());
      if (name.equals("__metadata__")) {
        readMetadata(json);
      } else if (entries.put(name, readEntry(json, name)) != null) {
        throw file.error("tensor \"%s\" is in the header twice".formatted(name));
      } else if (entries.size() > MAX_TENSORS) {
        throw file.error("more than %d tensors".formatted(MAX_TENSORS));
      }
    }
    if (json.nextToken() != null) {
      throw file.error("the header goes on after its closing brace");
    }
  }

  private void readMetadata(JsonParser json) throws IOException {
    if (!metadata.isEmpty()) {
      throw file.error("__metadata__ is in the header twice");
    }
    expect(json, json.nextToken(), JsonToken.START_OBJECT, "__metadata__");
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String key = json.currentName();
      expect(json, json.nextToken(), JsonToken.VALUE_STRING, "__metadata__ \"" + key + "\"");
      file.spend(ENTRY + 2L * (key.length() + json.getTextLength()));
      if (metadata.put(key, json.getText()) != null) {
        throw file.error("__metadata__ has \"%s\" twice".formatted(key));
      }
    }
  }

  private Entry readEntry(JsonParser json, String name) throws IOException {
    String where = "tensor \"" + name + "\"";
    String dtype = null;
    Shape shape = null;
    List<Long> offsets = null;
    expect(json, json.nextToken(), JsonToken.START_OBJECT, where);
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String field = json.currentName();
      boolean fresh;
      switch (field) {
        case "dtype" -> {
          fresh = dtype == null;
          expect(json, json.nextToken(), JsonToken.VALUE_STRING, where + " dtype");
          dtype = json.getText();
        }
        case "shape" -> {
          fresh = shape == null;
          shape = shape(readLongs(json, where + " shape"), where);
        }
        case "data_offsets" -> {
          fresh = offsets == null;
          offsets = readLongs(json, where + " data_offsets");
        }
        default ->
            throw file.error(
                "%s has an unknown field \"%s\"; dtype, shape and data_offsets are known"
                    .formatted(where, field));
      }
      if (!fresh) {
        throw file.error("%s has \"%s\" twice".formatted(where, field));
      }
    }
    if (dtype == null || shape == null || offsets == null || offsets.size() != 2) {
      throw file.error(where + " needs a dtype, a shape and two data_offsets");
    }
    return new Entry(dtype, shape, offsets.get(0), offsets.get(1));
  }

  private List<Long> readLongs(JsonParser json, String where) throws IOException {
    expect(json, json.nextToken(), JsonToken.START_ARRAY, where);
    var values = new ArrayList<Long>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      expect(json, json.currentToken(), JsonToken.VALUE_NUMBER_INT, where);
      long value = json.getLongValue();
      if (value < 0) {
        throw file.error("%s has the negative number %d".formatted(where, value));
      }
      values.add(value);
      if (values.size() > MAX_DIMS) {
        throw file.error("%s has more than %d numbers".formatted(where, MAX_DIMS));
      }
    }
    return values;
  }

  private Shape shape(List<Long> dims, String where) {
    try {
      return Shape.of(dims.stream().mapToLong(Long::longValue).toArray());
    } catch (IllegalArgumentException e) {
      throw file.error("%s: %s".formatted(where, e.getMessage()), e);
    }
  }

  private void expect(JsonParser json, JsonToken found, JsonToken needed, String where) {
    if (found != needed) {
      throw file.error(
          "the header is damaged at byte %d: %s has %s where %s belongs"
              .formatted(8 + json.currentTokenLocation().getByteOffset(), where, found, needed));
    }
  }

  private void checkExtents(long dataSize) {
    var extents = new ArrayList<Extent>();
    entries.forEach(
        (name, e) -> {
          if (e.begin > e.end || e.end > dataSize) {
            throw file.error(
                "tensor \"%s\" has data_offsets %d to %d, out of range: the data has %d bytes; the file is truncated or damaged; get it again"
                    .formatted(name, e.begin, e.end, dataSize));
          }
          extents.add(new Extent("tensor \"" + name + "\"", e.begin, e.end));
        });
    long end = 0;
    String before = "the header";
    for (Extent e : Extent.sorted(file, extents)) {
      if (e.begin() > end) {
        throw file.error(
            "a hole of %d bytes before %s (after %s): the format allows none"
                .formatted(e.begin() - end, e.what(), before));
      }
      end = Math.max(end, e.end());
      before = e.what();
    }
    if (end < dataSize) {
      throw file.error(
          "%d bytes after the last tensor belong to none: the format allows no holes"
              .formatted(dataSize - end));
    }
  }

  private Tensor tensor(String name, Entry entry, long dataStart) {
    try {
      DType dtype = type(entry, name);
      Shape shape = entry.shape;
      checkSize(name, dtype, shape, entry);
      Object tiledEntry = metadata.remove(TiledEntry.KEY + name);
      if (tiledEntry != null) {
        if (dtype != DType.Plain.U8) {
          throw file.error("tensor \"%s\" is tiled, but %s instead of U8".formatted(name, dtype));
        }
        var tiled = TiledEntry.parse(tiledEntry);
        dtype = tiled.dtype();
        shape = tiled.shape();
        checkSize(name, dtype, shape, entry);
      }
      var data = file.slice(dataStart + entry.begin, entry.end - entry.begin, name);
      return Tensor.of(data, dtype, shape);
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw file.error("tensor \"%s\": %s".formatted(name, e.getMessage()), e);
    }
  }

  private void checkSize(String name, DType dtype, Shape shape, Entry entry) {
    long needed = dtype.byteSize(shape);
    if (needed != entry.end - entry.begin) {
      throw file.error(
          "tensor \"%s\" has %d bytes (data_offsets %d to %d); %s %s takes %d"
              .formatted(
                  name,
                  entry.end - entry.begin,
                  entry.begin,
                  entry.end,
                  dtype.name(),
                  shape,
                  needed));
    }
  }

  private DType type(Entry entry, String name) {
    for (var known : DType.Plain.values()) {
      if (known.name().equals(entry.dtype)) {
        return known;
      }
    }
    if (!entry.dtype.matches("[A-Z0-9_]{1,32}")) {
      throw file.error(
          "tensor \"%s\" has a dtype that is no name; known are %s"
              .formatted(
                  name,
                  Arrays.stream(DType.Plain.values())
                      .map(DType.Plain::name)
                      .collect(Collectors.joining(", "))));
    }
    return new DType.Unknown(entry.dtype, entry.end - entry.begin);
  }
}
