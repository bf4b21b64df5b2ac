package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.gguf.GgufValues;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Each fault has its own message, which names the thing at fault.
class MalformedTest {
  private static final String A = "'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}";

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{A,'b':{'dtype':'F32','shape':[2],'data_offsets':[4,12]}} | 12 | tensor \"a\" (bytes 0..8)"
            + " and tensor \"b\" (bytes 4..12) overlap",
        "{A,'b':{'dtype':'F32','shape':[2],'data_offsets':[12,20]}} | 20 | hole of 4 bytes before"
            + " tensor \"b\"",
        "{A} | 9 | 1 bytes after the last tensor",
        "{A} | 7 | \"a\" has data_offsets 0 to 8, out of range: the data has 7 bytes",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}} | 8 | \"a\" has data_offsets 8 to"
            + " 0",
        "{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}} | 8 | \"a\" has 8 bytes"
            + " (data_offsets 0 to 8); F32 (3,) takes 12",
        "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}} | 8 | \"a\":"
            + " shape [4294967296, 4294967296] has more elements",
        "{'a':{'dtype':'F64','shape':[2305843009213693952],'data_offsets':[0,8]}} | 8 | more bytes"
            + " than a long counts",
        "{'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}} | 8 | \"a\" shape has the negative"
            + " number -2",
        "{'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}} | 8 | \"a\" shape has"
            + " VALUE_NUMBER_FLOAT",
        "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}} | 8 | out of"
            + " range of long",
        "{'a':{'dtype':'F4','shape':[3],'data_offsets':[0,2]}} | 2 | F4 stores blocks of 2"
            + " elements",
        "{'a':{'dtype':'no name','shape':[2],'data_offsets':[0,8]}} | 8 | a dtype that is no name;"
            + " known are F64",
        "{'a':{'dtype':'F32','shape':[2]}} | 8 | \"a\" needs a dtype, a shape and two data_offsets",
        "{'a':{'dtype':'F32','dtype':'F32','shape':[2],'data_offsets':[0,8]}} | 8 | \"a\" has"
            + " \"dtype\" twice",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8],'x':1}} | 8 | unknown field \"x\"",
        "{A,A} | 8 | \"a\" is in the header twice",
        "{A} {} | 8 | goes on after its closing brace",
        "{A,'__metadata__':{'k':1}} | 8 | __metadata__ \"k\" has VALUE_NUMBER_INT",
        "{A,'__metadata__':{'k':'1','k':'2'}} | 8 | __metadata__ has \"k\" twice",
        "{A,'__metadata__':{'gatun.tiled.b':'INT4_G32 1 32'}} | 8 | \"gatun.tiled.b\" names a"
            + " tensor that is not",
        "{A,'__metadata__':{'gatun.tiled.a':'INT4_G32 1 32'}} | 8 | \"a\" is tiled, but F32",
        "{'a':{'dtype':'U8','shape':[8],'data_offsets':[0,8]},'__metadata__':{'gatun.tiled.a':'INT4_G32"
            + " 32 32'}} | 8 | INT4_G32 (32, 32) takes 576",
        "{'a':{'dtype':'U8','shape':[8],'data_offsets':[0,8]},'__metadata__':{'gatun.tiled.a':'INT3"
            + " 32 32'}} | 8 | no tiled type \"INT3\"",
        "{A | 8 | not the JSON it should be"
      })
  void safetensors(String header, int dataBytes, String message) throws IOException {
    String json = header.replace("A", A).replace('\'', '"');
    refused("x.safetensors", Fixtures.safetensors(json, dataBytes), message);
  }

  /// A tensor of a type that nothing here knows can be counted, and its neighbours read.
  @Test
  void typesToCome() throws IOException {
    Path file = dir.resolve("new.gguf");
    var values = new GgufValues();
    values.i32(0x46554747);
    values.i32(3);
    values.i64(2);
    values.i64(0);
    info(values, "old", 24, 64, 32);
    info(values, "new", 99, 0, 5, 7);
    byte[] header = values.toByteArray();
    Files.write(file, Arrays.copyOf(header, (header.length + 31) / 32 * 32 + 96));
    try (var checkpoint = Checkpoint.open(file)) {
      var unknown = checkpoint.tensor("new");
      assertEquals(
          "GGUF_TYPE_99 (7, 5) 64",
          "%s %s %d".formatted(unknown.dtype().name(), unknown.shape(), unknown.byteSize()));
      assertThrows(RuntimeException.class, unknown::toFloats);
      assertThrows(RuntimeException.class, () -> unknown.slice(0, 1, 2));
      assertEquals(0, checkpoint.tensor("old").max());
    }
    Path other = dir.resolve("new.safetensors");
    String json = "{\"a\":{\"dtype\":\"Q9\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    Files.write(other, Fixtures.safetensors(json, 8));
    try (var checkpoint = Checkpoint.open(other)) {
      assertEquals("Q9", checkpoint.tensor("a").dtype().name());
      assertTrue(checkpoint.tensor("a").toString().contains("not readable"));
    }
  }

  @Test
  void safetensorsHeaderLargerThanTheFile() throws IOException {
    byte[] bytes = Fixtures.safetensors("{" + A.replace('\'', '"') + "}", 8);
    bytes[1] = 1;
    refused("x.safetensors", bytes, "the header's length is");
    Arrays.fill(bytes, 0, 8, (byte) -1);
    refused("x.safetensors", bytes, "the header's length is 18446744073709551615 bytes");
  }

  @Test
  void gguf() throws IOException {
    refusedGguf(2, 0, v -> v.i32(0), "the name of tensor 0");
    refusedGguf(1, 0, v -> info(v, "w", 0, 0, 8), "\"w\"", "out of range: the data has 0 bytes");
    refusedGguf(1, 0, v -> info(v, "w", 0, 32, 1), "\"w\" has offset 32, out of range");
    refusedGguf(1, 0, v -> info(v, "w", 0, 4, 1), "\"w\" has offset 4; need a multiple");
    refusedGguf(1, 0, v -> info(v, "w", 99, 0, 1), "\"w\"", "out of range: the data has 0 bytes");
    refusedGguf(1, 0, v -> info(v, "w", -1, 0, 1), "\"w\"", "unknown tensor type 4294967295");
    refusedGguf(1, 0, v -> info(v, "w", 4000, 0, 1), "\"w\"", "unknown tensor type 4000");
    refusedGguf(1, 0, v -> info(v, "w", 2, 0, 33), "\"w\" is Q4_0 (33,)", "blocks of 32");
    refusedGguf(1, 0, v -> info(v, "w", 0, 0, 1L << 32, 1L << 32), "more elements than a long");
    refusedGguf(1, 0, v -> info(v, "w", 0, 0, 1L << 62), "\"w\"", "more bytes than a long");
    refusedGguf(1, 0, v -> info(v, "w", 0, 0, -1), "\"w\"", "negative dimension");
    refusedGguf(
        2,
        0,
        v -> {
          info(v, "w", 24, 0, 64);
          info(v, "v", 24, 32, 32);
          v.string("x".repeat(200));
        },
        "\"w\"",
        "\"v\"",
        "overlap");
    refusedGguf(
        2,
        0,
        v -> {
          info(v, "w", 24, 0, 1);
          info(v, "w", 24, 32, 1);
          v.string("x".repeat(200));
        },
        "\"w\" is in the file twice");
    refusedGguf(0, 1, v -> entry(v, "k", 13), "\"k\"", "unknown value type 13");
    refusedGguf(
        0,
        2,
        v -> {
          v.string("k");
          v.typed(1L);
          v.string("k");
          v.typed(2L);
        },
        "\"k\"",
        "twice");
    refusedGguf(
        0,
        1,
        v -> {
          v.string("general.alignment");
          v.typed(48L);
        },
        "general.alignment is 48; need a power of two");
    refusedGguf(
        0,
        1,
        v -> {
          entry(v, "k", 9);
          v.i32(8);
          v.i64(1L << 60);
        },
        "\"k\"",
        "claims 1152921504606846976 strings");
    refusedGguf(1L << 40, 0, v -> {}, "claims 1099511627776 tensors");
    refusedGguf(0, -1, v -> {}, "claims 18446744073709551615 metadata entries");
  }

  @ParameterizedTest
  @CsvSource({"1,GGUF version 1", "4,GGUF version 4", "50331648,big-endian GGUF v3"})
  void ggufVersions(int version, String message) throws IOException {
    var values = new GgufValues();
    values.i32(0x46554747);
    values.i32(version);
    values.i64(0);
    values.i64(0);
    refused("x.gguf", values.toByteArray(), message);
  }

  private void refusedGguf(
      long tensors, long metadata, Consumer<GgufValues> rest, String... messages)
      throws IOException {
    var values = new GgufValues();
    values.i32(0x46554747);
    values.i32(3);
    values.i64(tensors);
    values.i64(metadata);
    rest.accept(values);
    refused("x.gguf", values.toByteArray(), messages);
  }

  private static void info(GgufValues v, String name, int type, long offset, long... dims) {
    v.string(name);
    v.i32(dims.length);
    for (long d : dims) {
      v.i64(d);
    }
    v.i32(type);
    v.i64(offset);
  }

  private static void entry(GgufValues v, String key, int type) {
    v.string(key);
    v.i32(type);
  }

  @Test
  void picklesMakeNothingButTensorsAndPlainValues() throws IOException {
    refusedPickle("cos\nsystem\n(\u008c\7touch xtR.", "x.pth: x/data.pkl", "\"os.system\"");
    refusedPickle("\u0080\4\u008c\2os\u008c\6system\u0093.", "\"os.system\"");
    refusedPickle("cbuiltins\neval\n.", "\"builtins.eval\"");
    refusedPickle("(icollections\nOrderedDict\n.", "opcode 0x69");
    refusedPickle("}(K", "data.pkl", "needs 1 bytes more");
    refusedPickle("0.", "an empty stack");
    refusedPickle("j\0\0\0\0.", "nothing remembered as 0");
    refusedPickle("}]K\1s.", "a dictionary key");
    refusedPickle("]q\0h\0a.", "nested deeper than 64");
    refusedPickle("]".repeat(200) + "a".repeat(199) + ".", "nested deeper than 64");
    refusedPickle("X\u00ff\u00ff\u00ff\u007f.", "a text of 2147483647 bytes");
    refusedPickle("\u008b\u00ff\u00ff\u00ff\u007f.", "an integer of 2147483647 bytes");
  }

  @Test
  void picklesThatUnfoldWithoutEndAreRefused() throws IOException {
    var pickle = new StringBuilder("]q\0");
    for (int i = 0; i < 40; i++) {
      pickle.append("]h").append((char) i).append("ah").append((char) i).append('a');
      pickle.append('q').append((char) (i + 1));
    }
    refusedPickle(pickle + ".", "unfolds to more than 1 MB");
  }

  @Test
  void tensorsOutsideTheirStorageAreRefused() throws IOException {
    String storage = "(\u008c\7storagectorch\nFloatStorage\n\u008c\0010\u008c\3cpuK\u0010tQ";
    String tensor = "}\u008c\1wctorch._utils\n_rebuild_tensor_v2\n(" + storage;
    refusedPickle(tensor + "K\1K\u0010\u0085K\1\u0085tRs.", "\"w\" in storage 0", "leaves");
    refusedPickle(tensor + "K\0K\2\u0085K\u0010\u0085tRs.", "\"w\" in storage 0", "leaves");
    refusedPickle(tensor + "K\u0011K\1\u0085K\1\u0085tRs.", "\"w\" has offset 17, out of range");
    refusedPickle(
        tensor.replace("\0010", "\0017") + "K\0K\1\u0085K\1\u0085tRs.", "no entry \"x/data/7\"");
    refusedPickle(
        tensor.replace("K\u0010", "K\u0011") + "K\0K\1\u0085K\1\u0085tRs.",
        "storage 0, which needs 68 bytes and has 64");
  }

  private void refusedPickle(String pickle, String... messages) throws IOException {
    byte[] bytes = pickle.getBytes(StandardCharsets.ISO_8859_1);
    refused("x.pth", Fixtures.pth(bytes, true), messages);
  }

  @Test
  void otherZipFilesAreRefused() throws IOException {
    refused("x.pth", Fixtures.pth("N.".getBytes(StandardCharsets.US_ASCII), false), "compressed");
    refused(Fixtures.resource("module.pt"), "\"torch.nn.modules.linear.Linear\"");
    refused(Fixtures.resource("torchscript.pt"), "TorchScript");
    refused(Fixtures.resource("conjugated.pt"), "resolve_conj()");
  }

  @ParameterizedTest
  @CsvSource({
    "'',is empty",
    "'<!DOCTYPE html><html>',a web page",
    "'  <HTML>',a web page",
    "'version https://git-lfs.github.com/spec/v1',git lfs pull",
    "'{\"hidden_size\": 64}',JSON text",
    "'hello there, file',begins with the bytes 68 65 6c 6c 6f",
    "tjgg1234,before GGUF"
  })
  void filesThatAreNoCheckpoints(String content, String message) throws IOException {
    refused("x", content.getBytes(StandardCharsets.UTF_8), message);
    if (!content.startsWith("{")) {
      refused("pytorch_model.bin", content.getBytes(StandardCharsets.UTF_8), message);
    }
  }

  @Test
  void placesWithoutACheckpoint() throws IOException {
    refused(dir.resolve("nowhere"), "there is no such file or directory");
    refused(dir, "no model in this directory (looked for model.safetensors");
    Fixtures.writeGguf(dir.resolve("a.gguf"));
    Checkpoint.open(dir).close();
    Fixtures.writeGguf(dir.resolve("b.gguf"));
    refused(dir, "2 checkpoints in this directory; name one of them: [a.gguf, b.gguf]");
  }

  @ParameterizedTest
  @CsvSource({
    "\"../m.safetensors\"",
    "\"/etc/passwd\"",
    "\"sub/m.safetensors\"",
    "\"..\"",
    "\"C:m.safetensors\"",
    "\"a\\\\b.safetensors\"",
    "\"a\\u0000\"",
    "\"\"",
    "7"
  })
  void shardNamesThatLeadElsewhere(String shard) throws IOException {
    Path index = dir.resolve("model.safetensors.index.json");
    Files.writeString(index, "{\"weight_map\": {\"w\": %s}}".formatted(shard));
    refused(index, "the shard of tensor \"w\" is " + shard, "plain name");
  }

  @Test
  void indexesThatDoNotFitTheirShards() throws IOException {
    Path index = dir.resolve("model.safetensors.index.json");
    byte[] a = Fixtures.safetensors("{" + A.replace('\'', '"') + "}", 8);
    Files.write(dir.resolve("1.safetensors"), a);
    Files.write(dir.resolve("2.safetensors"), a);

    Files.writeString(index, "{\"weight_map\": {\"a\": \"3.safetensors\"}}");
    refused(dir, dir.resolve("3.safetensors").toString(), "the download is incomplete");
    Files.writeString(index, "{\"weight_map\": {\"b\": \"1.safetensors\"}}");
    refused(dir, "1.safetensors: no tensor \"b\", though the index says so");
    Files.writeString(
        index, "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}");
    refused(dir, "2.safetensors: tensor \"a\" is in", "1.safetensors too");
    Files.writeString(index, "{\"weight_map\": {}}");
    refused(dir, "no weight_map");
    Files.writeString(index, "{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"x\"}}");
    refused(dir, "tensor \"a\" is in the weight_map twice");
  }

  private void refused(String name, byte[] content, String... messages) throws IOException {
    refused(Files.write(dir.resolve(name), content), messages);
  }

  private static void refused(Path path, String... messages) {
    var e = assertThrows(CheckpointException.class, () -> Checkpoint.open(path).close());
    for (String message : messages) {
      assertTrue(e.getMessage().contains(message), e.getMessage());
    }
    assertEquals(1, e.getMessage().lines().count(), "one paragraph");
  }
}
