package io.gatun.ffm.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/// A note beside a file of the cache, `NAME.stamp`, that tells it from a file that anything has
/// changed since it was written: its size and, to the nanosecond, when its contents and its inode
/// last changed. Nobody can set the latter, short of setting the machine's clock, so it stands for
/// a hash of the contents at no cost: hashing 130 MB of libraries would take most of a second at
/// each start. It holds in a folder that nobody else can write to (see [UserCache]).
public final class Stamp {
  /// What follows the file's name.
  public static final String SUFFIX = ".stamp";

  private Stamp() {}

  /// Whether the file is this user's, no link, and as it was when its stamp was written.
  public static boolean isUnchanged(Path file) {
    try {
      Path stamp = of(file);
      return isOwnFile(file) && isOwnFile(stamp) && Files.readString(stamp).equals(state(file));
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean isOwnFile(Path file) throws IOException {
    return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
        && Ownership.isMine(file)
        && !Ownership.othersWrite(file);
  }

  /// Notes that the file is whole as it is.
  ///
  /// @throws IOException if the note cannot be written
  public static void write(Path file) throws IOException {
    String before;
    Ownership.keepOthersOut(file);
    do {
      before = state(file);
      AtomicFile.write(of(file), before);
      Ownership.keepOthersOut(of(file));
    } while (!before.equals(state(file))); // another process may have just made the file again
  }

  /// Notes that the file is used now.
  public static void touch(Path file) {
    try {
      Files.setLastModifiedTime(of(file), FileTime.from(Instant.now()));
    } catch (IOException readOnly) {
      // It only goes earlier than it should.
    }
  }

  /// When the file was last written or used.
  ///
  /// @throws IOException if the file is gone
  public static Instant used(Path file) throws IOException {
    Instant written = Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS).toInstant();
    try {
      Instant used = Files.getLastModifiedTime(of(file), LinkOption.NOFOLLOW_LINKS).toInstant();
      return used.isAfter(written) ? used : written;
    } catch (NoSuchFileException e) {
      return written;
    }
  }

  /// Where the file's note is.
  public static Path of(Path file) {
    return file.resolveSibling(file.getFileName() + SUFFIX);
  }

  private static String state(Path file) throws IOException {
    var attributes =
        Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    FileTime changed =
        Ownership.POSIX
            ? (FileTime) Files.getAttribute(file, "unix:ctime", LinkOption.NOFOLLOW_LINKS)
            : attributes.creationTime();
    return "%d %d %d%n"
        .formatted(
            attributes.size(),
            attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS),
            changed.to(TimeUnit.NANOSECONDS));
  }
}
