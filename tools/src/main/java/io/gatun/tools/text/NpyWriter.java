package io.gatun.tools.text;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.TextOptions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;

/// A matrix of F32 in NumPy's format, version 1.0, written row by row: a header of 128 bytes, which
/// has the number of rows, then these. A file appears whole or not at all; what goes to a pipe,
/// where nothing can be put right later, is held back until the last row is there.
final class NpyWriter implements AutoCloseable {
  private static final int HEADER_BYTES = 128;

  private final AtomicFile file;
  private final ByteArrayOutputStream held = new ByteArrayOutputStream();
  private final OutputStream pipe;
  private final WritableByteChannel rows;
  private int columns;
  private long count;

  private NpyWriter(AtomicFile file, OutputStream pipe) throws IOException {
    this.file = file;
    this.pipe = pipe;
    rows = file == null ? Channels.newChannel(held) : file.channel();
    if (file != null) {
      file.channel().position(HEADER_BYTES);
    }
  }

  /// @param target a file, or - for standard output
  static NpyWriter to(Path target, CommandSpec command) throws IOException {
    return target.equals(TextOptions.STANDARD_INPUT)
        ? new NpyWriter(null, Stdio.of(command).out())
        : new NpyWriter(new AtomicFile(target), null);
  }

  /// Adds a row, as long as all others.
  void add(float[] row) {
    columns = row.length;
    var bytes = ByteBuffer.allocate(4 * columns).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(row);
    try {
      while (bytes.hasRemaining()) {
        rows.write(bytes);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    count++;
  }

  /// All rows are there.
  void commit() throws IOException {
    var header = header();
    if (file == null) {
      pipe.write(header);
      held.writeTo(pipe);
      pipe.flush();
      return;
    }
    file.channel().position(0);
    var bytes = ByteBuffer.wrap(header);
    while (bytes.hasRemaining()) {
      file.channel().write(bytes);
    }
    file.commit();
  }

  private byte[] header() {
    String shape =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }".formatted(count, columns);
    int length = HEADER_BYTES - 10;
    var header = new byte[HEADER_BYTES];
    ByteBuffer.wrap(header)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put((byte) 0x93)
        .put("NUMPY".getBytes(StandardCharsets.US_ASCII))
        .put((byte) 1)
        .put((byte) 0)
        .putShort((short) length)
        .put(shape.getBytes(StandardCharsets.US_ASCII))
        .put(" ".repeat(length - 1 - shape.length()).getBytes(StandardCharsets.US_ASCII))
        .put((byte) '\n');
    return header;
  }

  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}
