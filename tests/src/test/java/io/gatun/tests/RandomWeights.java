package io.gatun.tests;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.StreamSupport;
import java.util.zip.CRC32;

/// Weights that need not be stored: each value follows from its tensor's name and its place, as
/// `resources/llm/README.md` says it, so that other programs come to the same bits.
public final class RandomWeights {
  private static final ObjectMapper JSON = new ObjectMapper();

  private RandomWeights() {}

  /// Writes the file that a list of tensors describes: GGUF if it has metadata, else safetensors.
  public static void write(Path description, Path file) throws IOException {
    JsonNode all = JSON.readTree(description.toFile());
    int salt = all.get("salt").asInt();
    if (all.has("metadata")) {
      var writer = new GgufWriter();
      metadata(all.get("metadata")).forEach(writer::metadata);
      tensors(all, salt, (t, bytes) -> writer.add(t.name, t.type, t.shape, to -> to.write(bytes)));
      writer.write(file);
    } else {
      var writer = new SafetensorsWriter();
      tensors(all, salt, (t, bytes) -> writer.add(t.name, t.type, t.shape, to -> to.write(bytes)));
      writer.write(file);
    }
  }

  /// A GGUF file's, from JSON: numbers with a point are floats.
  public static Map<String, Object> metadata(JsonNode json) {
    var all = new LinkedHashMap<String, Object>();
    json.properties().forEach(e -> all.put(e.getKey(), value(e.getValue())));
    return all;
  }

  private record Declared(String name, DType type, Shape shape) {}

  private static Object value(JsonNode node) {
    return switch (node.getNodeType()) {
      case STRING -> node.asText();
      case BOOLEAN -> node.asBoolean();
      case NUMBER ->
          node.isIntegralNumber() ? (Object) node.asLong() : (Object) (float) node.asDouble();
      case ARRAY ->
          StreamSupport.stream(node.spliterator(), false).map(RandomWeights::value).toList();
      default -> throw new IllegalArgumentException(node.toString());
    };
  }

  private static void tensors(JsonNode all, int salt, BiConsumer<Declared, MemorySegment> to) {
    for (var e : all.get("tensors").properties()) {
      String name = e.getKey();
      JsonNode rule = e.getValue();
      if (rule.get(0).isTextual()) {
        var out = bytes(4L * rule.get(1).size());
        rule.get(1).forEach(v -> out.putFloat((float) v.asDouble()));
        to.accept(new Declared(name, DType.Plain.F32, Shape.of(rule.get(1).size())), segment(out));
        continue;
      }
      var shape =
          Shape.of(
              StreamSupport.stream(rule.get(0).spliterator(), false)
                  .mapToLong(JsonNode::asLong)
                  .toArray());
      DType type = type(rule.has(3) ? rule.get(3).asText() : "F32");
      var values = new Values(salt + ":" + name, rule.get(1).asDouble(), rule.get(2).asDouble());
      to.accept(new Declared(name, type, shape), values.write(type, shape));
    }
  }

  private static DType type(String name) {
    return name.equals("MXFP4") ? DType.Block.MXFP4 : DType.Plain.valueOf(name);
  }

  private static ByteBuffer bytes(long count) {
    return ByteBuffer.allocate(Math.toIntExact(count)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static MemorySegment segment(ByteBuffer bytes) {
    return MemorySegment.ofBuffer(bytes.rewind());
  }

  private record Values(String seed, double mean, double spread) {
    MemorySegment write(DType type, Shape shape) {
      var out = bytes(type.byteSize(shape));
      long first = first();
      for (long i = first; out.hasRemaining(); i++) {
        double u = uniform(i);
        float value = (float) (mean + spread * u);
        switch (type) {
          case DType.Plain.F32 -> out.putFloat(value);
          case DType.Plain.F16 -> out.putShort(Float.floatToFloat16(value));
          case DType.Plain.BF16 -> out.putShort((short) (Float.floatToRawIntBits(value) >> 16));
          case DType.Plain.U8 -> out.put((byte) (int) Math.floor(mean + spread * u));
          case DType.Block.MXFP4 -> out.put((byte) block(u, (int) (i - first) % 17 == 0));
          default -> throw new IllegalArgumentException(type.name());
        }
      }
      return segment(out);
    }

    /// A block's scale lies between "mean" and "spread"; its other bytes are any.
    private int block(double u, boolean scale) {
      return (int) Math.floor(scale ? mean + (spread + 1 - mean) * (u + 1) / 2 : 128 + 128 * u);
    }

    private long first() {
      var crc = new CRC32();
      crc.update(seed.getBytes(StandardCharsets.UTF_8));
      return crc.getValue() << 32;
    }

    /// In [-1, 1), a multiple of 2^-23.
    private static double uniform(long i) {
      long h = i * 0x9E3779B97F4A7C15L;
      h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
      h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
      return ((h ^ h >>> 31) >> 40) * 0x1p-23;
    }
  }
}
