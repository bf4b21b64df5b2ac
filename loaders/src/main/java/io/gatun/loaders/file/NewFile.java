package io.gatun.loaders.file;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.TensorData;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/// A checkpoint that appears under its name whole or not at all, as [AtomicFile] does, and counts
/// what is written to it.
public final class NewFile implements TensorData.Sink, AutoCloseable {
  private static final long CHUNK = 64L << 20;

  private final Path target;
  private final AtomicFile file;
  private final FileChannel channel;
  private long position;

  /// @throws CheckpointException if no file can be made there
  public NewFile(Path target) {
    this.target = target;
    try {
      file = new AtomicFile(target);
    } catch (IOException e) {
      throw failed(e);
    }
    channel = file.channel();
  }

  @Override
  public void write(MemorySegment bytes) {
    try {
      for (long at = 0; at < bytes.byteSize(); at += CHUNK) {
        ByteBuffer chunk = bytes.asSlice(at, Math.min(CHUNK, bytes.byteSize() - at)).asByteBuffer();
        while (chunk.hasRemaining()) {
          channel.write(chunk);
        }
      }
    } catch (IOException e) {
      throw failed(e);
    }
    position += bytes.byteSize();
  }

  /// Writes zeros up to a multiple of `alignment`.
  public void pad(int alignment) {
    int gap = (int) (Math.ceilDiv(position, (long) alignment) * alignment - position);
    write(MemorySegment.ofArray(new byte[gap]));
  }

  /// Writes a tensor.
  ///
  /// @throws IllegalArgumentException if `data` does not give exactly the tensor's bytes
  public void write(String name, DType dtype, Shape shape, TensorData data) {
    long end = Math.addExact(position, dtype.byteSize(shape));
    data.writeTo(
        bytes -> {
          if (bytes.byteSize() > end - position) {
            throw new IllegalArgumentException(
                "tensor \"%s\", %s %s, was given more than its %d bytes"
                    .formatted(name, dtype.name(), shape, dtype.byteSize(shape)));
          }
          write(bytes);
        });
    if (position != end) {
      throw new IllegalArgumentException(
          "tensor \"%s\", %s %s, was given %d bytes too few"
              .formatted(name, dtype.name(), shape, end - position));
    }
  }

  /// Makes the file appear.
  ///
  /// @throws CheckpointException if that fails
  public void commit() {
    try {
      file.commit();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /// Removes what was written, unless it was committed.
  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private CheckpointException failed(IOException e) {
    return new CheckpointException(
        "%s: cannot be written: %s; nothing is left of it".formatted(target, SourceFile.reason(e)),
        e);
  }
}
