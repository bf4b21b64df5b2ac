package io.gatun.tests.models;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// Checkpoints of any size whose weights are zeros, which take no room on the disk.
final class SparseSafetensors {
  private SparseSafetensors() {}

  /// Writes BF16 tensors of these shapes.
  static void write(Path file, Map<String, Shape> tensors) throws IOException {
    var header = new ObjectMapper().createObjectNode();
    long end = 0;
    for (var e : tensors.entrySet()) {
      long bytes = DType.Plain.BF16.byteSize(e.getValue());
      var entry = header.putObject(e.getKey());
      entry.put("dtype", "BF16");
      var shape = entry.putArray("shape");
      for (long d : e.getValue().dims()) {
        shape.add(d);
      }
      entry.putArray("data_offsets").add(end).add(end + bytes);
      end += bytes;
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    Files.createDirectories(file.getParent());
    try (var out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).array());
      out.write(json);
      out.setLength(8 + json.length + end);
    }
  }
}
