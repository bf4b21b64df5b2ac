package io.gatun.tests.loaders;

import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Small files of every format.
final class Fixtures {
  private Fixtures() {}

  /// A file that PyTorch wrote; see make_fixtures.py beside it.
  static Path resource(String name) {
    try {
      return Path.of(Fixtures.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /// A safetensors file of that header and so many zero bytes of data.
  static byte[] safetensors(String header, int dataBytes) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .array();
  }

  /// Some tensors, one of them tiled, and metadata.
  static void writeSafetensors(Path file) {
    try (var arena = Arena.ofConfined()) {
      new SafetensorsWriter()
          .metadata("format", "pt")
          .add("a.weight", Tensor.ofFloats(arena, new float[12], 3, 4))
          .add("b", Tensor.allocate(arena, DType.Plain.BF16, 5))
          .add("f4", Tensor.allocate(arena, DType.Plain.F4, 2, 8))
          .add("t", Tensor.allocate(arena, new DType.Tiled(4, 32), 1, 32))
          .write(file);
    }
  }

  /// Some tensors, blocks among them, and metadata of every type; it ends with the last tensor.
  static void writeGguf(Path file) {
    try (var arena = Arena.ofConfined()) {
      new GgufWriter()
          .metadata("general.architecture", "llama")
          .metadata("llama.block_count", 2)
          .metadata("eps", 1e-5f)
          .metadata("flag", true)
          .metadata("tokenizer.ggml.tokens", List.of("a", "bc", "", "\u2581d"))
          .metadata("tokenizer.ggml.scores", List.of(0f, -1f))
          .metadata("nested", List.of(List.of(1, 2), List.of(3)))
          .add("token_embd.weight", Tensor.allocate(arena, DType.Block.Q8_0, 2, 32))
          .add("blk.0.w", Tensor.allocate(arena, DType.Block.Q4_K, 1, 256))
          .add("norm", Tensor.allocate(arena, DType.Plain.F32, 16))
          .write(file);
    }
  }

  /// A zip file as torch.save writes it, of that pickle and one storage of 64 zero bytes.
  static byte[] pth(byte[] pickle, boolean stored) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var zip = new ZipOutputStream(bytes)) {
      put(zip, "x/data.pkl", pickle, stored);
      put(zip, "x/data/0", new byte[64], stored);
    }
    return bytes.toByteArray();
  }

  private static void put(ZipOutputStream zip, String name, byte[] data, boolean stored)
      throws IOException {
    var entry = new ZipEntry(name);
    if (stored) {
      var crc = new CRC32();
      crc.update(data);
      entry.setMethod(ZipEntry.STORED);
      entry.setSize(data.length);
      entry.setCrc(crc.getValue());
    }
    zip.putNextEntry(entry);
    zip.write(data);
    zip.closeEntry();
  }
}
