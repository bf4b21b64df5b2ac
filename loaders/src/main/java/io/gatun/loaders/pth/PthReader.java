package io.gatun.loaders.pth;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.file.ByteReader;
import io.gatun.loaders.file.Extent;
import io.gatun.loaders.file.FileContents;
import io.gatun.loaders.file.SourceFile;
import io.gatun.loaders.pth.TorchObjects.Storage;
import io.gatun.loaders.pth.TorchObjects.TorchTensor;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// Reads what `torch.save` writes: a pickle that describes tensors, and their storages.
///
/// Source: `torch/serialization.py` (`_save`, `_legacy_save`, `_legacy_load`) of PyTorch.
public final class PthReader {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long PROTOCOL = 1001;

  private static final String PICKLE = "data.pkl";
  private static final long MAX_PICKLE = 64 << 20;

  private static final long MAX_BYTE_ORDER = 16;

  private PthReader() {}

  /// The zip form, of PyTorch 1.6 and later: `NAME/data.pkl` and a file `NAME/data/KEY` for each
  /// storage.
  ///
  /// @throws CheckpointException if the file is damaged, or holds more than tensors and plain
  ///   values
  public static FileContents readZip(SourceFile file) {
    var zip = new ZipDirectory(file);
    String root = root(file, zip);
    if (zip.has(root + "byteorder")) {
      checkSize(file, zip, root + "byteorder", MAX_BYTE_ORDER);
      byte[] order = zip.data(root + "byteorder").toArray(ValueLayout.JAVA_BYTE);
      if (!new String(order, StandardCharsets.ISO_8859_1).strip().equals("little")) {
        throw bigEndian(file);
      }
    }
    checkSize(file, zip, root + PICKLE, MAX_PICKLE);
    long size = zip.size(root + PICKLE);
    var in = file.reader(zip.offset(root + PICKLE), size, root + PICKLE);
    in.context(root + PICKLE);
    file.allow(size);
    Object pickled = new Unpickler(file, in).load();
    return contents(file, "PyTorch zip", pickled, key -> zip.data(root + "data/" + key));
  }

  private static void checkSize(SourceFile file, ZipDirectory zip, String entry, long most) {
    if (zip.size(entry) > most) {
      throw file.error(
          "%s has %d bytes; at most %d are read".formatted(entry, zip.size(entry), most));
    }
  }

  private static String root(SourceFile file, ZipDirectory zip) {
    String found = null;
    for (String name : zip.names()) {
      if (name.equals(PICKLE) || name.endsWith("/" + PICKLE)) {
        if (found != null) {
          throw file.error("two pickles, %s and %s: damaged".formatted(found, name));
        }
        found = name;
      }
    }
    if (found == null) {
      throw file.error(
          "a zip file without a data.pkl, so not from torch.save (NumPy's .npz and JAR files are"
              + " zip files too); save the model as safetensors");
    }
    String root = found.substring(0, found.length() - PICKLE.length());
    if (zip.has(root + "constants.pkl")) {
      throw file.error(
          "a TorchScript program, which holds code; in PyTorch, save its state_dict() instead");
    }
    return root;
  }

  /// The form before PyTorch 1.6: pickles of a magic number, a version, the machine, the object,
  /// and the storages' keys; then for each storage its number of elements and its bytes.
  ///
  /// @throws CheckpointException if the file is damaged, or holds more than tensors and plain
  ///   values
  public static FileContents readLegacy(SourceFile file) {
    ByteReader in = file.reader(0, Math.min(file.size(), MAX_PICKLE), "the file");
    file.allow(in.remaining());
    in.context("the magic number");
    if (!MAGIC.equals(new Unpickler(file, in).load())) {
      throw file.error(
          "a Python pickle, but not from torch.save; save the model with torch.save or as"
              + " safetensors");
    }
    in.context("the protocol version");
    if (!Long.valueOf(PROTOCOL).equals(new Unpickler(file, in).load())) {
      throw in.error("need " + PROTOCOL);
    }
    in.context("the machine's description");
    if (!(new Unpickler(file, in).load() instanceof Map<?, ?> machine)
        || Boolean.FALSE.equals(machine.get("little_endian"))) {
      throw bigEndian(file);
    }
    in.context("the pickle");
    var unpickler = new Unpickler(file, in);
    Object pickled = unpickler.load();
    in.context("the storages' keys");
    if (!(new Unpickler(file, in).load() instanceof List<?> keys)) {
      throw in.error("need a list");
    }
    Map<String, MemorySegment> data = storages(file, in.position(), keys, unpickler.storages());
    return contents(file, "PyTorch legacy pickle", pickled, data::get);
  }

  private static Map<String, MemorySegment> storages(
      SourceFile file, long start, List<?> keys, Map<String, Storage> storages) {
    var data = new HashMap<String, MemorySegment>();
    long at = start;
    for (Object key : keys) {
      Storage storage = key instanceof String k ? storages.get(k) : null;
      if (storage == null) {
        throw file.error(
            "the storages' keys at byte %d have one that no tensor uses: damaged".formatted(start));
      }
      long elements = file.longAt(at, "the size of storage " + key);
      if (elements != storage.elements()) {
        throw file.error(
            "storage %s has %s elements at byte %d, but %d in the pickle: damaged"
                .formatted(key, Long.toUnsignedString(elements), at, storage.elements()));
      }
      var bytes = file.slice(at + 8, bytes(file, storage), "storage " + key);
      data.put(storage.key(), bytes);
      at += 8 + bytes.byteSize();
    }
    return data;
  }

  private static CheckpointException bigEndian(SourceFile file) {
    return file.error("was saved on a big-endian machine; save it again on a little-endian one");
  }

  private static long bytes(SourceFile file, Storage storage) {
    int each = storage.dtype() == null ? 1 : storage.dtype().blockBytes();
    if (storage.elements() > file.size() / each) {
      throw file.error(
          "storage %s has %d elements of %d bytes, more than the file: it is truncated or damaged; get it again"
              .formatted(storage.key(), storage.elements(), each));
    }
    return storage.elements() * each;
  }

  private static FileContents contents(
      SourceFile file, String version, Object pickled, Function<String, MemorySegment> storages) {
    var dict = new StateDict(file, pickled);
    var data = new HashMap<String, MemorySegment>();
    var tensors = new LinkedHashMap<String, Tensor>();
    dict.tensors()
        .forEach(
            (name, t) -> {
              var bytes = data.computeIfAbsent(t.storage().key(), storages);
              tensors.put(name, tensor(file, name, t, bytes));
            });
    checkApart(file, data);
    return new FileContents(Format.PTH, version, tensors, dict.metadata());
  }

  /// Tensors may share a storage; storages share nothing.
  private static void checkApart(SourceFile file, Map<String, MemorySegment> storages) {
    var extents = new ArrayList<Extent>();
    storages.forEach(
        (key, bytes) -> {
          if (bytes.byteSize() > 0) {
            long begin = file.offsetOf(bytes);
            extents.add(new Extent("storage " + key, begin, begin + bytes.byteSize()));
          }
        });
    Extent.sorted(file, extents);
  }

  private static Tensor tensor(SourceFile file, String name, TorchTensor t, MemorySegment bytes) {
    String where = "tensor \"" + name + "\"";
    long needed = bytes(file, t.storage());
    if (bytes == null || bytes.byteSize() < needed) {
      throw file.error(
          "%s is in storage %s, which needs %d bytes and has %s: damaged"
              .formatted(
                  where, t.storage().key(), needed, bytes == null ? "none" : bytes.byteSize()));
    }
    DType dtype = t.dtype();
    if (t.offset() < 0 || t.offset() > needed / dtype.blockBytes()) {
      throw file.error(
          "%s has offset %d, out of range: storage %s has %d bytes"
              .formatted(where, t.offset(), t.storage().key(), needed));
    }
    long start = t.offset() * dtype.blockBytes();
    try {
      var shape = Shape.of(array(t.dims()));
      return Tensor.strided(bytes.asSlice(start, needed - start), dtype, shape, array(t.strides()));
    } catch (IllegalArgumentException e) {
      throw file.error(
          "%s in storage %s: %s".formatted(where, t.storage().key(), e.getMessage()), e);
    }
  }

  private static long[] array(List<Long> longs) {
    return longs.stream().mapToLong(Long::longValue).toArray();
  }
}
