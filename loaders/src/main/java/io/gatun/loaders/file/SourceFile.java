package io.gatun.loaders.file;

import io.gatun.ffm.MappedFiles;
import io.gatun.ffm.MemoryAdvice;
import io.gatun.ffm.RawArena;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/// The bytes of one file, mapped or copied; every slice is checked against the file's end.
public final class SourceFile {
  /// Reads into a copy go by pieces of this size, so that each is one short system call.
  private static final long CHUNK = 64L << 20;

  /// What a reader sees of a file; buffers cannot have 2 GB.
  private static final long READ = 1L << 30;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final MemorySegment bytes;
  private final LoadMode mode;
  private final HeapBudget budget;

  private SourceFile(Path path, MemorySegment bytes, LoadMode mode, HeapBudget budget) {
    this.path = path;
    this.bytes = bytes;
    this.mode = mode;
    this.budget = budget;
  }

  /// Maps the file, or reads the whole of it, into memory that lives as long as `arena`.
  ///
  /// @param budget of the heap, which the files of a checkpoint share
  /// @throws CheckpointException if it cannot be read or, for a copy, memory does not suffice
  public static SourceFile open(Path path, LoadMode mode, RawArena arena, HeapBudget budget) {
    try (var channel = FileChannel.open(path)) {
      long size = channel.size();
      var bytes =
          switch (mode) {
            case MAP -> arena.map(channel);
            case COPY -> copy(channel, size, path, arena).asReadOnly();
          };
      return new SourceFile(path, bytes, mode, budget);
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be read: %s".formatted(path, reason(e)), e);
    }
  }

  private static MemorySegment copy(FileChannel channel, long size, Path path, RawArena arena)
      throws IOException {
    MemorySegment copy;
    try {
      // A page, so that tensors are aligned in the copy as they are in a mapping.
      copy = arena.allocate(size, 4096);
    } catch (OutOfMemoryError e) {
      throw new CheckpointException(
          "%s: a copy takes %d bytes of memory, which this machine does not give; map the file instead (--load map)"
              .formatted(path, size),
          e);
    }
    for (long at = 0; at < size; ) {
      ByteBuffer chunk = copy.asSlice(at, Math.min(CHUNK, size - at)).asByteBuffer();
      int n = channel.read(chunk, at);
      if (n < 0) {
        throw new CheckpointException(
            "%s: ended at byte %d of %d while it was read: another process shortened it"
                .formatted(path, at, size));
      }
      at += n;
    }
    return copy;
  }

  /// What is wrong with a file, for exceptions whose message is only its path.
  public static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException _ -> "there is no such file or directory";
      case AccessDeniedException _ -> "permission denied";
      case FileAlreadyExistsException _ -> "it is there already";
      case NotDirectoryException _ -> "it is not a directory";
      case DirectoryNotEmptyException _ -> "it is a directory with files in it";
      case FileSystemException f when f.getReason() != null -> f.getReason();
      default -> e.getMessage() != null ? e.getMessage() : e.getClass().getSimpleName();
    };
  }

  public Path path() {
    return path;
  }

  public long size() {
    return bytes.byteSize();
  }

  /// How far from the file's start a slice begins.
  public long offsetOf(MemorySegment slice) {
    return slice.address() - bytes.address();
  }

  /// `length` bytes from `offset` on.
  ///
  /// @throws CheckpointException if the file ends before; `what` names the part in the message
  public MemorySegment slice(long offset, long length, String what) {
    if (offset < 0 || length < 0 || offset > size() || length > size() - offset) {
      throw error(
          "%s takes %s bytes from byte %s on, but the file has %d bytes: it is truncated or damaged; get it again"
              .formatted(
                  what, Long.toUnsignedString(length), Long.toUnsignedString(offset), size()));
    }
    return bytes.asSlice(offset, length);
  }

  /// Allows for a header of so many bytes to be read.
  public void allow(long headerBytes) {
    budget.allow(headerBytes);
  }

  /// Counts heap that is taken for what the header says.
  ///
  /// @param bytes about as many as are kept
  /// @throws CheckpointException if that is more than a header of its size can need
  public void spend(long bytes) {
    if (!budget.spend(bytes)) {
      throw error(
          "its header unfolds to more than %d MB: damaged or forged; convert the model to safetensors with a tool that you trust"
              .formatted(budget.allowed() >> 20));
    }
  }

  /// Advises the system that the bytes will be read soon; a copy needs no advice.
  public void willNeed(long offset, long length) {
    if (mode == LoadMode.MAP) {
      MemoryAdvice.willNeed(bytes.asSlice(offset, length));
    }
  }

  /// Takes mapped bytes out of the process's memory: they will not be read soon.
  public void unload() {
    MappedFiles.unload(bytes);
  }

  /// The little-endian long at `offset`.
  public long longAt(long offset, String what) {
    return slice(offset, 8, what).get(LONG, 0);
  }

  /// A reader of `length` bytes from `offset` on; at most the first GB of them, in which all
  /// headers end.
  public ByteReader reader(long offset, long length, String what) {
    var window = slice(offset, length, what);
    return new ByteReader(this, offset, buffer(window.asSlice(0, cap(window.byteSize()))));
  }

  /// A stream of `length` bytes from `offset` on.
  public InputStream stream(long offset, int length, String what) {
    ByteBuffer buffer = buffer(slice(offset, length, what));
    return new InputStream() {
      @Override
      public int read() {
        return buffer.hasRemaining() ? buffer.get() & 0xFF : -1;
      }

      @Override
      public int read(byte[] into, int from, int count) {
        int n = Math.min(count, buffer.remaining());
        buffer.get(into, from, n);
        return n == 0 && count > 0 ? -1 : n;
      }
    };
  }

  private static ByteBuffer buffer(MemorySegment segment) {
    return segment.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private static long cap(long length) {
    return Math.min(length, READ);
  }

  /// An exception whose message begins with this file's path.
  public CheckpointException error(String message) {
    return new CheckpointException(path + ": " + message);
  }

  /// An exception whose message begins with this file's path.
  public CheckpointException error(String message, Throwable cause) {
    return new CheckpointException(path + ": " + message, cause);
  }
}
