package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.gguf.GgufValues;
import io.gatun.tests.Limits;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Files that would take all memory, or minutes, if one believed them: each is answered within
/// [Limits].
class HostileFilesTest {
  private static final String MAGIC = "\u0080\2\u008a\12l\u00fc\u009cF\u00f9 j\u00a8P\u0019.";

  private static final String STORAGE =
      "(\u008c\7storagectorch\nFloatStorage\n\u008c\0010\u008c\3cpuK\u0010tQ";

  @TempDir Path dir;

  /// Each level holds the one below twice.
  private static String doubling(String bottom, int levels, IntFunction<String> level) {
    var pickle = new StringBuilder(bottom).append("q\0");
    for (int i = 0; i < levels; i++) {
      pickle.append(level.apply(i)).append('q').append((char) (i + 1));
    }
    return pickle.append('.').toString();
  }

  private static String got(int i) {
    return "h" + (char) i;
  }

  @ParameterizedTest
  @ValueSource(strings = {"N", "TENSOR"})
  void sharedDictionaries(String bottom) throws IOException {
    String key = "X`\0\0\0" + "k".repeat(0x60);
    String pickle =
        doubling(
            bottom.replace("TENSOR", tensor("K\1\u0085", "K\1\u0085")),
            38,
            i -> "}" + key + got(i) + "sX\1\0\0\0b" + got(i) + "s");
    refusedPickle(pickle, "unfolds to more than 1 MB");
  }

  @ParameterizedTest
  @ValueSource(strings = {"N", "TENSOR"})
  void sharedTuples(String bottom) throws IOException {
    String pickle =
        doubling(
            bottom.replace("TENSOR", tensor("K\1\u0085", "K\1\u0085")),
            60,
            i -> got(i) + got(i) + "\u0086");
    refusedPickle(pickle, "unfolds to more than 1 MB");
  }

  @Test
  void sharedListsThatAreCopied() throws IOException {
    String list = "](" + "N".repeat(10_000) + "eq\0\u0085q\1";
    String copies = "cbuiltins\nset\nq\2" + "h\2h\1R0".repeat(10_000);
    refusedPickle(list + copies + "N.", "unfolds to more than");
  }

  @Test
  void tensorsOfManyDimensions() throws IOException {
    String ones = "(" + "K\1".repeat(100_000) + "t";
    refusedPickle("}\u008c\1w" + tensor(ones, ones) + "s.", "a tensor has 100000 dimensions");
    refused(
        "x.safetensors",
        Fixtures.safetensors(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1" + ",1".repeat(20_000_000) + "]}}", 0),
        "\"a\" shape has more than 64 numbers");
  }

  /// None, MEMOIZE, MARK, DUP, EMPTY_DICT, EMPTY_TUPLE, BININT1, NEWTRUE.
  @ParameterizedTest
  @ValueSource(strings = {"N", "N\u0094", "(", "N2", "}", ")", "K\1", "\u0088", "}\u0094", "]a"})
  void floodsOfOpcodes(String opcodes) throws IOException {
    String flood = "]" + opcodes.repeat(10_000_000 / opcodes.length());
    refusedPickle(flood + ".", "");
  }

  private static String tensor(String dims, String strides) {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K\0" + dims + strides + "tR";
  }

  /// In a zip file and as the old form has it.
  private void refusedPickle(String pickle, String message) throws IOException {
    byte[] bytes = pickle.getBytes(StandardCharsets.ISO_8859_1);
    refused("x.pth", Fixtures.pth(bytes, true), message);
    byte[] start = (MAGIC + "\u0080\2M\u00e9\3.}.").getBytes(StandardCharsets.ISO_8859_1);
    var legacy = new ByteArrayOutputStream();
    legacy.write(start);
    legacy.write(bytes);
    legacy.write("].".getBytes(StandardCharsets.ISO_8859_1));
    refused("x.bin", legacy.toByteArray(), message);
  }

  @Test
  void entriesOfAZipFileThatAreTooLarge() throws IOException {
    Path file = dir.resolve("x.pth");
    sparseZip(file, 300_000_000, "x/byteorder", "x/data.pkl");
    refused(file, "x/byteorder has 300000000 bytes; at most 16 are read");
    sparseZip(file, 300_000_000, "x/data.pkl");
    refused(file, "x/data.pkl has 300000000 bytes");
  }

  @Test
  void directoriesOfAZipFileThatAreTooLarge() throws IOException {
    var names = new String[1500];
    Arrays.setAll(names, i -> i + "x".repeat(60_000));
    Path file = dir.resolve("x.pth");
    sparseZip(file, 100, names);
    refused(file, "unfolds to more than");
  }

  @Test
  void storagesThatShareBytes() throws IOException {
    String other = tensor("K\1\u0085", "K\1\u0085").replace("\u008c\0010", "\u008c\0011");
    String pickle = "}\u008c\1v" + tensor("K\1\u0085", "K\1\u0085") + "s\u008c\1w" + other + "s.";
    Path file = dir.resolve("x.pth");
    Files.write(file, Fixtures.pth(pickle.getBytes(StandardCharsets.ISO_8859_1), true));
    // Both entries of the directory lead to the first storage.
    byte[] zip = Fixtures.pth(pickle.getBytes(StandardCharsets.ISO_8859_1), true);
    refused(file, "no entry \"x/data/1\"");
    Files.write(file, withEntryTwice(zip));
    refused(file, "storage 0 (bytes", "overlap");
  }

  /// The directory's last entry, x/data/0, once more as x/data/1.
  private static byte[] withEntryTwice(byte[] zip) {
    int end = zip.length - 22;
    int entry = end - 46 - "x/data/0".length();
    var out = ByteBuffer.allocate(zip.length + end - entry).order(ByteOrder.LITTLE_ENDIAN);
    out.put(zip, 0, end).put(zip, entry, end - entry).put(zip, end, 22);
    int at = end + end - entry;
    out.put(at - 1, (byte) '1');
    var directory = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
    out.putShort(at + 8, (short) 3).putShort(at + 10, (short) 3);
    out.putInt(at + 12, directory.getInt(end + 12) + end - entry);
    return out.array();
  }

  /// A zip file of entries that all have the same bytes, which are zeros and take no room.
  private static void sparseZip(Path file, int size, String... names) throws IOException {
    var directory = new ByteArrayOutputStream();
    for (String name : names) {
      byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
      directory.write(
          little(46)
              .putInt(0x02014b50)
              .putInt(20, size)
              .putInt(24, size)
              .putShort(28, (short) bytes.length)
              .array());
      directory.write(bytes);
    }
    Files.deleteIfExists(file);
    try (var out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(little(30).putInt(0x04034b50).array());
      out.seek(30L + size);
      out.write(directory.toByteArray());
      short count = (short) names.length;
      out.write(
          little(22)
              .putInt(0x06054b50)
              .putShort(8, count)
              .putShort(10, count)
              .putInt(12, directory.size())
              .putInt(16, 30 + size)
              .array());
    }
  }

  private static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void headersOfSafetensors() throws IOException {
    refused("x.safetensors", safetensors("\"__metadata__\":{", i -> "\"%d\":\"\"", "}"), "unfolds");
    refused(
        "x.safetensors",
        safetensors("", i -> "\"%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}", ""),
        "");
    refused("x.safetensors", Fixtures.safetensors("{\"a\":" + "[".repeat(50_000_000), 0), "");
    refused("x.safetensors", Fixtures.safetensors("{\"" + "a".repeat(50_000_000), 0), "");
    refused(
        "x.safetensors",
        Fixtures.safetensors("{\"__metadata__\":{\"a\":\"" + "a".repeat(90_000_000), 0),
        "");
    refused("x.safetensors", Fixtures.safetensors(" ".repeat(90_000_000), 0), "");
  }

  private static byte[] safetensors(String start, IntFunction<String> item, String end) {
    var header = new StringBuilder("{").append(start);
    for (int i = 0; header.length() < 20_000_000; i++) {
      header.append(i == 0 ? "" : ",").append(item.apply(i).replace("%d", Integer.toString(i)));
    }
    return Fixtures.safetensors(header.append(end).append('}').toString(), 0);
  }

  @Test
  void stringsOfGguf() throws IOException {
    refusedGguf(200, i -> text(15_000_000), "unfolds to more than 128 MB");
    refusedGguf(1, i -> text(17_000_000), "a value of 17000000 bytes");
  }

  @Test
  void arraysOfGguf() throws IOException {
    // Each zero is the length of an empty string, or part of a number.
    refusedGguf(20, i -> array(8, 7_000_000, 56_000_000), "unfolds to more than 128 MB");
    refusedGguf(20, i -> array(0, 60_000_000, 60_000_000), "unfolds to more than 128 MB");
    refusedGguf(1, i -> array(9, 5_000_000, 60_000_000), "arrays in arrays");
    refusedGguf(60, i -> array(9, 1000, 12_000), "");
  }

  private record Value(byte[] head, int zeros) {}

  private static Value text(int length) {
    return new Value(little(12).putInt(8).putLong(length).array(), length);
  }

  private static Value array(int type, int count, int zeros) {
    return new Value(little(16).putInt(9).putInt(type).putLong(count).array(), zeros);
  }

  /// A file of metadata whose values are zeros, which take no room, and then of no tensors.
  private void refusedGguf(int entries, IntFunction<Value> value, String message)
      throws IOException {
    Path file = dir.resolve("x.gguf");
    Files.deleteIfExists(file);
    try (var out = new RandomAccessFile(file.toFile(), "rw")) {
      var head = new GgufValues();
      head.i32(0x46554747);
      head.i32(3);
      head.i64(1);
      head.i64(entries);
      out.write(head.toByteArray());
      for (int i = 0; i < entries; i++) {
        var key = new GgufValues();
        key.string("k" + i);
        out.write(key.toByteArray());
        var v = value.apply(i);
        out.write(v.head);
        out.seek(out.getFilePointer() + v.zeros);
      }
      out.write(new byte[] {1});
    }
    refused(file, message);
  }

  @Test
  void indexesOfAMillionEntries() throws IOException {
    Files.write(dir.resolve("a.safetensors"), Fixtures.safetensors("{}", 0));
    Path index = dir.resolve("model.safetensors.index.json");
    Files.writeString(index, index(1_000_000, i -> "a.safetensors"));
    refused(index, "names more than 524288 tensors");
    Files.writeString(index, index(20_000, i -> i + ".safetensors"));
    refused(index, "names 20000 files; at most 10000 are read");
    Files.writeString(index, "{\"weight_map\":" + "{\"a\":".repeat(1_000_000));
    refused(index, "");
    Files.writeString(index, index(1_000_000, i -> "").replace("weight_map", "metadata"));
    refused(index, "more than 1000 metadata entries");
    try (var out = new RandomAccessFile(index.toFile(), "rw")) {
      out.setLength(1L << 30);
    }
    refused(index, "larger than 67108864 bytes");
  }

  private static String index(int count, IntFunction<String> file) {
    var json = new StringBuilder("{\"weight_map\":{");
    for (int i = 0; i < count; i++) {
      json.append(i == 0 ? "" : ",").append('"').append(i).append("\":\"");
      json.append(file.apply(i)).append('"');
    }
    return json.append("}}").toString();
  }

  private void refused(String name, byte[] content, String... messages) throws IOException {
    refused(Files.write(dir.resolve(name), content), messages);
  }

  private static void refused(Path path, String... messages) {
    String refusal =
        Limits.within(
            () -> {
              try (var checkpoint = Checkpoint.open(path)) {
                return "opened with " + checkpoint.tensors().size() + " tensors";
              } catch (CheckpointException e) {
                return e.getMessage();
              }
            });
    assertTrue(refusal.startsWith(path.toString()), () -> shortened(refusal));
    assertTrue(refusal.length() < 2000, () -> shortened(refusal));
    for (String message : messages) {
      assertTrue(refusal.contains(message), () -> shortened(refusal));
    }
    assertEquals(1, refusal.lines().count(), "one paragraph");
  }

  private static String shortened(String text) {
    return text.substring(0, Math.min(300, text.length()));
  }
}
