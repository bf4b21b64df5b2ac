package io.gatun.loaders.gguf;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.file.ByteReader;
import io.gatun.loaders.file.Extent;
import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.SourceFile;
import io.gatun.loaders.file.TiledEntry;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Reads a .gguf file, version 2 or 3: typed metadata, tensor infos, the tensors' bytes.
///
/// Metadata integers become Long (BigInteger above a long), FLOAT32 Float, FLOAT64 Double, arrays
/// unmodifiable lists. Shapes are row-major, the reverse of the order in the file.
///
/// Source: `docs/gguf.md` in <https://github.com/ggml-org/ggml>.
public final class GgufReader {
  /// `GGUF`, read as a little-endian int.
  public static final int MAGIC = 0x46554747;

  public static final String ALIGNMENT = "general.alignment";
  public static final long DEFAULT_ALIGNMENT = 32;

  private static final int MAX_TENSORS = 1 << 18;
  private static final int MAX_METADATA = 1 << 16;
  private static final int MAX_NAME = 65_535;
  private static final int MAX_DIMS = 8;

  /// ggml has some forty; a greater number is none of them.
  private static final int MAX_TYPE = 1023;

  /// The bytes of an array; the largest vocabularies take a tenth of it.
  private static final int MAX_ARRAY = 64 << 20;

  private static final int MAX_STRING = 16 << 20;

  /// About what an entry of a table, a list or a tensor takes beside its own bytes.
  private static final int ENTRY = 128;

  private static final int TENSOR = 512;

  private static final int MAX_ARRAY_DEPTH = 4;
  private static final int MAX_NESTED_ARRAYS = 1 << 16;

  private record Info(String name, DType dtype, Shape shape, long offset) {}

  private final SourceFile file;
  private final ByteReader in;
  private int nestedArrays;

  private GgufReader(SourceFile file) {
    this.file = file;
    this.in = file.reader(0, file.size(), "the file");
  }

  /// Reads the header, and makes the tensors views of the file.
  ///
  /// @throws CheckpointException if the file is damaged, or of another version or byte order
  public static FileContents read(SourceFile file) {
    return new GgufReader(file).read();
  }

  private FileContents read() {
    in.skip(4);
    file.allow(file.size());
    int version = in.i32();
    checkVersion(version);
    int tensorCount = in.count(1, "tensors");
    int metadataCount = in.count(13, "metadata entries");
    if (tensorCount > MAX_TENSORS || metadataCount > MAX_METADATA) {
      throw in.error(
          "claims %d tensors and %d metadata entries; at most %d and %d are read"
              .formatted(tensorCount, metadataCount, MAX_TENSORS, MAX_METADATA));
    }
    Map<String, Object> metadata = readMetadata(metadataCount);
    List<Info> infos = readInfos(tensorCount);
    long alignment = alignment(metadata);
    long dataStart = Math.ceilDiv(in.position(), alignment) * alignment;
    var tensors = tensors(infos, dataStart, alignment);
    tensors.replaceAll((name, tensor) -> untile(name, tensor, metadata));
    for (String key : metadata.keySet()) {
      if (key.startsWith(TiledEntry.KEY)) {
        throw file.error("metadata \"%s\" names a tensor that is not in the file".formatted(key));
      }
    }
    return new FileContents(Format.GGUF, "GGUF v" + version, tensors, metadata);
  }

  private void checkVersion(int version) {
    int swapped = Integer.reverseBytes(version);
    if (swapped == 2 || swapped == 3) {
      throw file.error(
          "big-endian GGUF v%d; only little-endian files are read: convert it with gguf_convert_endian.py of llama.cpp"
              .formatted(swapped));
    }
    if (version != 2 && version != 3) {
      throw file.error(
          "GGUF version %s; versions 2 and 3 are read%s"
              .formatted(
                  Integer.toUnsignedString(version),
                  version == 1 ? ": convert the model again with a current llama.cpp" : ""));
    }
  }

  private Map<String, Object> readMetadata(int count) {
    var metadata = new LinkedHashMap<String, Object>();
    for (int i = 0; i < count; i++) {
      in.context("the key of metadata entry " + i);
      String key = readName();
      in.context("metadata \"" + key + "\"");
      if (metadata.put(key, readValue(readType(), 0)) != null) {
        throw in.error("is in the file twice");
      }
    }
    return metadata;
  }

  private String readName() {
    long length = in.i64();
    if (length < 0 || length > MAX_NAME) {
      throw in.error(
          "a name of %s bytes; at most %d are read"
              .formatted(Long.toUnsignedString(length), MAX_NAME));
    }
    file.spend(ENTRY + 2 * length);
    return in.utf8(length);
  }

  private GgufType readType() {
    int number = in.i32();
    GgufType type = GgufType.of(number);
    if (type == null) {
      throw in.error("unknown value type " + Integer.toUnsignedString(number));
    }
    return type;
  }

  private Object readValue(GgufType type, int depth) {
    return switch (type) {
      case STRING -> readText();
      case ARRAY -> readArray(depth + 1);
      case BOOL -> readBoolean();
      default ->
          GgufArray.value(
              type, ByteBuffer.wrap(in.bytes(type.bytes())).order(ByteOrder.LITTLE_ENDIAN), 0);
    };
  }

  private String readText() {
    int length = in.count(1, "bytes of text");
    checkLength(length, MAX_STRING);
    file.spend(2L * length);
    return in.utf8(length);
  }

  private boolean readBoolean() {
    int b = in.u8();
    if (b > 1) {
      throw in.error("a boolean is " + b + "; need 0 or 1");
    }
    return b == 1;
  }

  private List<Object> readArray(int depth) {
    GgufType type = readType();
    return switch (type) {
      case STRING -> readStrings();
      case ARRAY -> readArrays(depth);
      default -> {
        int count = in.count(type.bytes(), "elements");
        long bytes = (long) count * type.bytes();
        checkLength(bytes, MAX_ARRAY);
        file.spend(ENTRY + bytes);
        yield GgufArray.ofNumbers(type, in.bytes(bytes));
      }
    };
  }

  private List<Object> readStrings() {
    int count = in.count(8, "strings");
    checkLength(8L * count, MAX_ARRAY);
    file.spend(ENTRY + 4L * count);
    var starts = new int[count];
    ByteReader ahead = file.reader(in.position(), in.remaining(), "strings");
    int length = 0;
    for (int i = 0; i < count; i++) {
      starts[i] = length;
      long bytes = ahead.remaining() < 8 ? -1 : ahead.i64();
      if (bytes < 0 || bytes > ahead.remaining()) {
        throw in.error(
            "string %d of %d ends outside the file: it is truncated or damaged; get it again"
                .formatted(i, count));
      }
      ahead.skip(bytes);
      checkLength(8L + length + bytes, MAX_ARRAY);
      length += (int) (8 + bytes);
    }
    file.spend(length);
    return GgufArray.ofStrings(in.bytes(length), starts);
  }

  private List<Object> readArrays(int depth) {
    int count = in.count(12, "arrays");
    nestedArrays += count;
    if (depth >= MAX_ARRAY_DEPTH || nestedArrays > MAX_NESTED_ARRAYS || nestedArrays < 0) {
      throw in.error(
          "arrays in arrays deeper than %d or more than %d of them"
              .formatted(MAX_ARRAY_DEPTH, MAX_NESTED_ARRAYS));
    }
    var arrays = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      arrays.add(readArray(depth + 1));
    }
    return Collections.unmodifiableList(arrays);
  }

  private void checkLength(long bytes, int most) {
    if (bytes > most) {
      throw in.error("a value of %d bytes; at most %d are read".formatted(bytes, most));
    }
  }

  private long alignment(Map<String, Object> metadata) {
    Object value = metadata.getOrDefault(ALIGNMENT, DEFAULT_ALIGNMENT);
    if (!(value instanceof Long a) || a < 1 || a > 1 << 20 || Long.bitCount(a) != 1) {
      throw file.error("%s is %s; need a power of two up to 2^20".formatted(ALIGNMENT, value));
    }
    return a;
  }

  private List<Info> readInfos(int count) {
    var infos = new ArrayList<Info>();
    for (int i = 0; i < count; i++) {
      in.context("the name of tensor " + i);
      String name = readName();
      in.context("tensor \"" + name + "\"");
      int rank = in.i32();
      if (rank < 0 || rank > MAX_DIMS) {
        throw in.error(
            "%s dimensions; at most %d are read"
                .formatted(Integer.toUnsignedString(rank), MAX_DIMS));
      }
      var dims = new long[rank];
      for (int d = rank - 1; d >= 0; d--) {
        dims[d] = in.i64();
      }
      int number = in.i32();
      DType dtype = GgufType.tensorType(number);
      if (dtype == null && (number < 0 || number > MAX_TYPE)) {
        throw in.error(
            "unknown tensor type %s: the file is damaged; get it again"
                .formatted(Integer.toUnsignedString(number)));
      }
      file.spend(TENSOR);
      var type = dtype != null ? dtype : new DType.Unknown("GGUF_TYPE_" + number, -1);
      infos.add(new Info(name, type, shape(dims), in.i64()));
    }
    return infos;
  }

  private Shape shape(long[] dims) {
    try {
      return Shape.of(dims);
    } catch (IllegalArgumentException e) {
      throw in.error(e.getMessage());
    }
  }

  private Map<String, Tensor> tensors(List<Info> infos, long dataStart, long alignment) {
    var tensors = new LinkedHashMap<String, Tensor>();
    var extents = new ArrayList<Extent>();
    var offsets = new TreeSet<Long>();
    infos.forEach(info -> offsets.add(info.offset));
    for (Info info : infos) {
      String where = "tensor \"" + info.name + "\"";
      Shape shape = info.shape;
      long inner = shape.rank() == 0 ? 1 : shape.dim(-1);
      if (inner % info.dtype.blockSize() != 0) {
        throw file.error(
            "%s is %s %s, whose rows are no whole number of blocks of %d"
                .formatted(where, info.dtype.name(), shape, info.dtype.blockSize()));
      }
      if (info.offset < 0 || info.offset % alignment != 0) {
        throw file.error(
            "%s has offset %s; need a multiple of the alignment, %d"
                .formatted(where, Long.toUnsignedString(info.offset), alignment));
      }
      long bytes = bytes(info, where);
      DType type = info.dtype;
      if (info.offset > file.size() - dataStart) {
        throw file.error(
            "%s has offset %d, out of range: the data has %d bytes; the file is truncated or damaged; get it again"
                .formatted(where, info.offset, Math.max(0, file.size() - dataStart)));
      }
      long begin = dataStart + info.offset;
      if (info.dtype instanceof DType.Unknown) {
        // So far it reaches at the most.
        Long next = offsets.higher(info.offset);
        bytes = (next == null ? file.size() - dataStart : next) - info.offset;
        type = new DType.Unknown(info.dtype.name(), bytes);
        if (bytes == 0) {
          throw file.error(where + " is of the unknown type " + type.name() + " and has no data");
        }
      }
      Tensor tensor = Tensor.of(file.slice(begin, bytes, where), type, shape);
      if (tensors.put(info.name, tensor) != null) {
        throw file.error(where + " is in the file twice");
      }
      if (tensor.byteSize() > 0) {
        extents.add(new Extent(where, begin, begin + tensor.byteSize()));
      }
    }
    Extent.sorted(file, extents);
    return tensors;
  }

  /// A tensor of bytes as the tiled matrix that a metadata entry, which is taken out, says it is.
  private Tensor untile(String name, Tensor tensor, Map<String, Object> metadata) {
    Object entry = metadata.remove(TiledEntry.KEY + name);
    if (entry == null) {
      return tensor;
    }
    try {
      var tiled = TiledEntry.parse(entry);
      if (tensor.dtype() != DType.Plain.I8
          || tiled.dtype().byteSize(tiled.shape()) != tensor.byteSize()) {
        throw file.error(
            "tensor \"%s\" is %s %s, but tiled as %s takes %d bytes"
                .formatted(
                    name,
                    tensor.dtype().name(),
                    tensor.shape(),
                    tiled,
                    tiled.dtype().byteSize(tiled.shape())));
      }
      return Tensor.of(tensor.segment(), tiled.dtype(), tiled.shape());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw file.error("tensor \"%s\": %s".formatted(name, e.getMessage()), e);
    }
  }

  private long bytes(Info info, String where) {
    try {
      return info.dtype.byteSize(info.shape);
    } catch (IllegalArgumentException e) {
      throw file.error(where + ": " + e.getMessage(), e);
    }
  }
}
