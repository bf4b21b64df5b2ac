package io.gatun.tools;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.models.TextEmbedder;
import io.gatun.models.encoder.Pooling;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun embed`: vectors of texts.
@Command(
    name = "embed",
    description =
        "Print a vector for each text, of which those of similar meaning point in similar"
            + " directions.",
    sortOptions = false)
final class Embed implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private EncoderOptions model;

  @Mixin private LineOptions texts;

  @Option(
      names = "--prompt-name",
      paramLabel = "NAME",
      description =
          "Put the model's own prompt of that name before each text: query, document (default:"
              + " what the model says).")
  private String promptName;

  @Option(
      names = "--pooling",
      paramLabel = "mean|cls|last",
      description = "How tokens become one vector (default: what the model's files say).")
  private Pooling pooling;

  @Option(names = "--json", description = "Print JSON: the texts and their vectors.")
  private boolean json;

  @Option(
      names = "--npy",
      paramLabel = "FILE",
      description = "Write a matrix of F32 for NumPy instead, a row for each text.")
  private Path npy;

  @Override
  public void run() {
    if (json && npy != null) {
      throw new ParameterException(spec.commandLine(), "Give --json or --npy, not both");
    }
    List<String> all = texts.read();
    try (var embedder =
        TextEmbedder.load(
            model.model(),
            o -> {
              model.apply(o);
              o.pooling(pooling);
            })) {
      float[][] vectors =
          promptName == null ? embedder.embed(all) : embedder.embed(all, promptName);
      if (npy != null) {
        write(npy, vectors, embedder.dimension());
        return;
      }
      var out = spec.commandLine().getOut();
      if (json) {
        var map = new LinkedHashMap<String, Object>();
        map.put("model", model.model().toString());
        map.put("dimension", embedder.dimension());
        map.put("texts", all);
        map.put("embeddings", vectors);
        out.println(Json.of(map));
      } else {
        for (float[] vector : vectors) {
          out.println(line(vector));
        }
      }
      out.flush();
    }
  }

  private static String line(float[] vector) {
    var line = new StringJoiner(" ");
    for (float v : vector) {
      line.add(String.format(Locale.ROOT, "%.6f", v));
    }
    return line.toString();
  }

  /// NumPy's format, version 1.0: a header that ends at a multiple of 64 bytes, then the rows.
  private static void write(Path file, float[][] rows, int columns) {
    String header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }"
            .formatted(rows.length, columns);
    int length = (10 + header.length() + 1 + 63 & -64) - 10;
    var bytes =
        ByteBuffer.allocate(
                Math.addExact(10 + length, Math.multiplyExact(4 * columns, rows.length)))
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
    bytes.put((byte) 1).put((byte) 0).putShort((short) length);
    bytes.put(
        (header + " ".repeat(length - 1 - header.length()) + "\n")
            .getBytes(StandardCharsets.US_ASCII));
    for (float[] row : rows) {
      for (float v : row) {
        bytes.putFloat(v);
      }
    }
    bytes.flip();
    try (var out = new AtomicFile(file)) {
      while (bytes.hasRemaining()) {
        out.channel().write(bytes);
      }
      out.commit();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
