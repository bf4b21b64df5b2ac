package io.gatun.ffm.files;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;

/// Who owns a file and who else may write to it. On Windows, where a user's folders are the user's
/// alone by what they inherit, everything counts as owned.
final class Ownership {
  static final boolean POSIX =
      FileSystems.getDefault().supportedFileAttributeViews().contains("unix");

  private static final int STICKY = 01000;
  private static final int GROUP_WRITES = 0020;
  private static final int OTHERS_WRITE = 0002;
  private static final int EVERYBODY_ELSE = 0077;
  private static final int ROOT = 0;

  /// What a user namespace shows for a user outside of it, and so for the root folder's owner.
  private static final int UNMAPPED = 65534;

  private static int me = -1;

  private Ownership() {}

  /// This process's user, as files know it.
  static synchronized int me() throws IOException {
    if (me < 0) {
      // Java has no name for it that nothing can override: a file of ours tells.
      Path probe =
          Path.of(System.getProperty("java.io.tmpdir"))
              .resolve("gatun-%d-%x".formatted(ProcessHandle.current().pid(), System.nanoTime()));
      try {
        Files.newByteChannel(probe, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)
            .close();
        me = uid(probe);
      } catch (IOException e) {
        me = uid(Path.of("/proc/self"));
      } finally {
        Files.deleteIfExists(probe);
      }
    }
    return me;
  }

  private static int uid(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  private static int mode(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS);
  }

  /// Whether this user owns the file, or the link itself.
  static boolean isMine(Path file) throws IOException {
    return !POSIX || uid(file) == me();
  }

  /// Whether anybody else may write to it. A group that has the owner's name is the owner's own:
  /// that is how many systems give users a group each.
  static boolean othersWrite(Path file) throws IOException {
    if (!POSIX) {
      return false;
    }
    int mode = mode(file);
    if ((mode & OTHERS_WRITE) != 0) {
      return true;
    }
    if ((mode & GROUP_WRITES) == 0) {
      return false;
    }
    Map<String, Object> names =
        Files.readAttributes(file, "unix:owner,group", LinkOption.NOFOLLOW_LINKS);
    return !names.get("owner").toString().equals(names.get("group").toString());
  }

  /// Whether it is a folder such as /tmp: all may add to it, nobody may touch what is another's.
  static boolean isSticky(Path folder) throws IOException {
    return POSIX && (mode(folder) & STICKY) != 0;
  }

  /// Makes sure that nobody else can put another folder in this one's place.
  ///
  /// @param folder a real path
  /// @throws IOException that says which folder above it is the trouble
  static void requireSafeParents(Path folder) throws IOException {
    if (!POSIX) {
      return;
    }
    for (Path above = folder.getParent(); above != null; above = above.getParent()) {
      if (!Files.exists(above)) {
        continue;
      }
      int owner = uid(above);
      if (owner != me() && owner != ROOT && owner != UNMAPPED) {
        throw new IOException("%s belongs to another user".formatted(above));
      }
      if (othersWrite(above) && !isSticky(above)) {
        throw new IOException(
            "others can write to %s (chmod go-w %s would end that)".formatted(above, above));
      }
    }
  }

  /// Makes a folder, with those above it, that is this user's alone.
  static void createPrivate(Path folder) throws IOException {
    Files.createDirectories(folder, attributes("rwx------"));
  }

  /// Takes everybody else's rights to a folder or file of this user's, if they could write to it.
  static void keepOthersOut(Path file) throws IOException {
    if (othersWrite(file)) {
      makePrivate(file);
    }
  }

  /// Takes everybody else's rights to a folder or file of this user's.
  static void makePrivate(Path file) throws IOException {
    if (POSIX && (mode(file) & EVERYBODY_ELSE) != 0) {
      String mode = Files.isDirectory(file) ? "rwx------" : "rw-------";
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    }
  }

  static FileAttribute<?>[] attributes(String mode) {
    return POSIX
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))
        }
        : new FileAttribute<?>[0];
  }
}
