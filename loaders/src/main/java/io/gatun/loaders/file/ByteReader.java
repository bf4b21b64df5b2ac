package io.gatun.loaders.file;

import io.gatun.loaders.CheckpointException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// Reads little-endian values one after another, and says where and in what a file ends too early.
public final class ByteReader {
  private final SourceFile file;
  private final long start;
  private final ByteBuffer buffer;
  private String context = "the header";

  ByteReader(SourceFile file, long start, ByteBuffer buffer) {
    this.file = file;
    this.start = start;
    this.buffer = buffer;
  }

  /// Names what is read next, for messages.
  public void context(String what) {
    context = what;
  }

  /// The position in the file.
  public long position() {
    return start + buffer.position();
  }

  public int remaining() {
    return buffer.remaining();
  }

  public int u8() {
    need(1);
    return buffer.get() & 0xFF;
  }

  public int u16() {
    need(2);
    return buffer.getShort() & 0xFFFF;
  }

  public int i32() {
    need(4);
    return buffer.getInt();
  }

  public long i64() {
    need(8);
    return buffer.getLong();
  }

  /// A 64-bit count of things that take at least `bytesEach` bytes in the rest of the file.
  public int count(long bytesEach, String things) {
    long n = i64();
    if (n < 0 || n > buffer.remaining() / bytesEach) {
      throw error(
          "claims %s %s, for which the %d bytes left cannot suffice"
              .formatted(Long.toUnsignedString(n), things, buffer.remaining()));
    }
    return (int) n;
  }

  public byte[] bytes(long n) {
    need(n);
    var bytes = new byte[(int) n];
    buffer.get(bytes);
    return bytes;
  }

  public String utf8(long n) {
    return new String(bytes(n), StandardCharsets.UTF_8);
  }

  public void skip(long n) {
    need(n);
    buffer.position(buffer.position() + (int) n);
  }

  /// The bytes up to a line feed, which is skipped.
  public String line() {
    int at = buffer.position();
    while (at < buffer.limit() && buffer.get(at) != '\n') {
      at++;
    }
    int length = at - buffer.position();
    need(length + 1L);
    String line = utf8(length);
    skip(1);
    return line;
  }

  private void need(long n) {
    if (n < 0 || n > buffer.remaining()) {
      throw error(
          "needs %s bytes more, and %d are left: the file is truncated or damaged; get it again"
              .formatted(Long.toUnsignedString(n), buffer.remaining()));
    }
  }

  /// An exception that names the file, what was being read, and the position.
  public CheckpointException error(String message) {
    return file.error("%s, at byte %d: %s".formatted(context, position(), message));
  }
}
