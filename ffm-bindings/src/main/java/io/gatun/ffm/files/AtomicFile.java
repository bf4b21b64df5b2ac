package io.gatun.ffm.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/// A file that appears under its name whole or not at all: written beside it under a name of its
/// own, forced to disk, then renamed. A file of that name that others have mapped stays as it is
/// for them.
///
/// If the process ends first, the temporary file goes with it. If it is killed, the next process
/// that writes in the same folder removes it: whoever writes holds a lock, which ends with the
/// process however it ends. (A process number would not do: another process may have it by then, or
/// the writer is in another container.)
public final class AtomicFile implements AutoCloseable {
  /// What its temporary files are called, and nobody else's.
  private static final Pattern TEMPORARY = Pattern.compile("\\..+\\.[0-9a-f]{1,48}\\.gatun-tmp");

  private static final boolean WINDOWS = System.getProperty("os.name").startsWith("Windows");
  private static final int LONGEST = 100;
  private static final AtomicLong COUNT = new AtomicLong();
  private static final Set<Path> SWEPT = ConcurrentHashMap.newKeySet();

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;

  /// @throws IOException if no file can be made beside the target
  public AtomicFile(Path target) throws IOException {
    // One name for one folder: see removeIfAbandoned.
    Path folder = target.toAbsolutePath().getParent().toRealPath();
    this.target = folder.resolve(target.getFileName());
    if (SWEPT.add(folder)) {
      removeAbandoned(folder);
    }
    while (true) {
      Path path = folder.resolve(temporaryName());
      Unfinished.add(path);
      try {
        FileChannel opened =
            FileChannel.open(
                path,
                StandardOpenOption.CREATE_NEW,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
        if (lock(opened) && Files.exists(path)) {
          temporary = path;
          channel = opened;
          return;
        }
        // Another process took it for abandoned before it was locked.
        opened.close();
      } catch (IOException e) {
        Unfinished.remove(path);
        throw e;
      }
      Unfinished.remove(path);
    }
  }

  private String temporaryName() {
    String name = target.getFileName().toString();
    return ".%s.%x%x%x.gatun-tmp"
        .formatted(
            name.substring(0, Math.min(name.length(), LONGEST)),
            ProcessHandle.current().pid(),
            System.nanoTime(),
            COUNT.incrementAndGet());
  }

  /// Whether nobody else has the lock. Where the file system has no locks, nobody removes anything.
  @SuppressWarnings("ReferenceEquality") // null is tryLock's answer
  private static boolean lock(FileChannel channel) {
    try {
      return channel.tryLock() != null;
    } catch (IOException noLocks) {
      return true;
    }
  }

  /// Writes a whole file in UTF-8.
  ///
  /// @throws IOException if it cannot be written; nothing is left of it
  public static void write(Path file, String text) throws IOException {
    try (var out = new AtomicFile(file)) {
      var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        out.channel().write(bytes);
      }
      out.commit();
    }
  }

  /// What goes into the file. Nothing else may open the temporary file: closing it there would end
  /// the lock.
  public FileChannel channel() {
    return channel;
  }

  /// Makes the file appear.
  ///
  /// @throws IOException if that fails
  public void commit() throws IOException {
    channel.force(true);
    if (WINDOWS) {
      channel.close(); // an open file cannot be renamed there
    }
    try {
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /// Removes what was written, unless it was committed.
  @Override
  public void close() throws IOException {
    try {
      Files.deleteIfExists(temporary);
    } finally {
      channel.close();
      Unfinished.remove(temporary);
    }
  }

  /// Removes what writers in this folder that were killed have left behind, and nothing else.
  public static void removeAbandoned(Path folder) {
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(folder.toRealPath(), ".*.gatun-tmp")) {
      for (Path file : files) {
        removeIfAbandoned(file);
      }
    } catch (IOException e) {
      // No folder, or one that cannot be listed: then there is nothing to remove, either.
    }
  }

  static boolean isTemporary(Path file) {
    return TEMPORARY.matcher(file.getFileName().toString()).matches();
  }

  private static void removeIfAbandoned(Path file) {
    // One of this process's own must not even be opened: closing it would end its lock.
    if (!isTemporary(file)
        || !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
        || Unfinished.contains(file)) {
      return;
    }
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
        FileLock lock = channel.tryLock()) {
      if (lock != null) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      // Another user's, or already gone.
    }
  }
}
