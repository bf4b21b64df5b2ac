package io.gatun.ffm.files;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The folder where Gatun keeps what it can make again: `-Dgatun.cache=FOLDER`, or the system's
/// usual place (`$XDG_CACHE_HOME/gatun` or `~/.cache/gatun` on Linux).
///
/// What is loaded from here runs in the process, so nobody else may write here: the folder, and
/// every folder above it, must be such that no other user can put a file or a folder of theirs in
/// place. In a shared folder like /tmp each user has a folder of their own; where a folder cannot
/// be trusted the next is tried, with a warning: the usual place, then one for this user in the
/// system's temporary folder. What the same user, or root, changes is no concern: they could change
/// Gatun itself.
///
/// The folder carries a mark, a [cache directory tag](https://bford.info/cachedir/), which also
/// keeps it out of backups. A folder that somebody names and that holds other files is never used.
public final class UserCache {
  private static final Logger LOG = LoggerFactory.getLogger(UserCache.class);

  private static final String MARK = "CACHEDIR.TAG";
  private static final String MARK_TEXT =
      """
      Signature: 8a477f597d28d172789f06886806bc55
      # This is Gatun's cache: everything here can be made again. Empty it with: gatun cache clear
      """;

  /// What earlier versions, which left no mark, put here; and what file systems put everywhere.
  private static final Set<String> UNMARKED =
      Set.of("natives", "packed", "synthetic", "chat-history", "lost+found", ".DS_Store");

  private static final Set<String> WARNED = ConcurrentHashMap.newKeySet();

  private UserCache() {}

  /// The folder in use, which need not exist yet.
  ///
  /// @throws IllegalArgumentException if `-Dgatun.cache` names a folder that holds other files
  /// @throws UncheckedIOException if no folder can be trusted, with the reasons
  public static Path folder() {
    try {
      return locate(true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A folder in the cache, made if it is not there, and private to this user.
  ///
  /// @param kind its name
  /// @throws IllegalArgumentException if `-Dgatun.cache` names a folder that holds other files
  /// @throws IOException if no folder can be trusted, with the reasons, or it cannot be made
  public static Path open(String kind) throws IOException {
    return open(kind, locate(true));
  }

  /// The same for files that are large and worth their work, which the system's temporary folder
  /// would lose again, or keep in memory: the cache is never there then.
  ///
  /// @throws IllegalArgumentException if `-Dgatun.cache` names a folder that holds other files
  /// @throws IOException if no folder can be trusted, with the reasons, or it cannot be made
  public static Path openLasting(String kind) throws IOException {
    return open(kind, locate(false));
  }

  private static Path open(String kind, Path folder) throws IOException {
    Ownership.createPrivate(folder);
    Ownership.keepOthersOut(folder);
    if (!isMarked(folder)) {
      AtomicFile.write(folder.resolve(MARK), MARK_TEXT);
    }
    return privateFolder(folder.resolve(kind));
  }

  /// Makes a folder below one of this user's; one that is there already must be this user's too.
  static Path privateFolder(Path folder) throws IOException {
    Ownership.createPrivate(folder);
    Path real = folder.toRealPath();
    Ownership.requireSafeParents(real);
    if (!Ownership.isMine(real)) {
      throw new IOException(real + " belongs to another user; remove it");
    }
    Ownership.makePrivate(real);
    return real;
  }

  private static Path locate(boolean orTemporary) throws IOException {
    String named = System.getProperty("gatun.cache");
    var problems = new ArrayList<String>();
    var candidates = new ArrayList<Path>();
    Optional.ofNullable(named).map(Path::of).ifPresent(candidates::add);
    UserFolders.cache().ifPresent(candidates::add);
    if (orTemporary) {
      candidates.add(
          Path.of(System.getProperty("java.io.tmpdir")).resolve("gatun-" + Ownership.me()));
    }
    for (Path candidate : candidates) {
      boolean isNamed = named != null && candidate == candidates.getFirst();
      try {
        Path folder = mine(candidate.toAbsolutePath().normalize(), isNamed);
        if (!problems.isEmpty() && WARNED.add(problems.getFirst())) {
          LOG.warn("the cache is in {}: {}", folder, String.join("; ", problems));
        }
        return folder;
      } catch (IOException e) {
        problems.add("not in %s, since %s".formatted(candidate, reason(e)));
      }
    }
    throw new IOException(
        "there is no folder for the cache: %s. Name one of your own with -Dgatun.cache=FOLDER"
            .formatted(String.join("; ", problems)));
  }

  private static String reason(IOException e) {
    return e.getClass() == IOException.class ? e.getMessage() : e.toString();
  }

  /// The folder itself, or the one in it that is this user's, with no links in its path.
  private static Path mine(Path folder, boolean isNamed) throws IOException {
    Path real = realPath(folder);
    Ownership.requireSafeParents(real);
    if (!Files.exists(real)) {
      Path above = existing(real);
      if (!Files.isWritable(above)) {
        throw new IOException(above + " cannot be written");
      }
      return real;
    }
    if (!Files.isDirectory(real)) {
      throw new IOException(real + " is a file");
    }
    if (Ownership.isSticky(real) && Ownership.othersWrite(real)) {
      Path own = real.resolve("gatun-" + Ownership.me());
      if (!Files.exists(own, LinkOption.NOFOLLOW_LINKS)) {
        return own;
      }
      if (!Files.isDirectory(own, LinkOption.NOFOLLOW_LINKS) || !Ownership.isMine(own)) {
        throw new IOException(own + " belongs to another user");
      }
      return own;
    }
    if (!Ownership.isMine(real)) {
      throw new IOException(real + " belongs to another user");
    }
    if (isNamed) {
      requireNothingElse(real);
    }
    if (!Files.isWritable(real)) {
      throw new IOException(real + " cannot be written");
    }
    return real;
  }

  private static Path realPath(Path folder) throws IOException {
    Path existing = existing(folder);
    return existing.toRealPath().resolve(existing.relativize(folder)).normalize();
  }

  private static Path existing(Path folder) {
    Path existing = folder;
    while (!Files.exists(existing)) {
      existing = existing.getParent();
    }
    return existing;
  }

  private static boolean isMarked(Path folder) {
    return Files.isRegularFile(folder.resolve(MARK), LinkOption.NOFOLLOW_LINKS);
  }

  private static void requireNothingElse(Path folder) throws IOException {
    if (isOurs(folder)) {
      return;
    }
    List<Path> entries;
    try (Stream<Path> files = Files.list(folder)) {
      // Another process may be writing the mark.
      entries =
          files
              .filter(f -> !UNMARKED.contains(f.getFileName().toString()))
              .filter(f -> !AtomicFile.isTemporary(f))
              .sorted()
              .toList();
    }
    // Another process may have written the mark after the first look at it.
    if (!entries.isEmpty() && !isOurs(folder)) {
      throw new IllegalArgumentException(
          "-Dgatun.cache=%s: holds other files, such as %s, and is no folder of Gatun's; name a folder that is new or empty"
              .formatted(folder, entries.getFirst().getFileName()));
    }
  }

  /// A tag alone could be another program's.
  private static boolean isOurs(Path folder) throws IOException {
    return isMarked(folder) && Files.readString(folder.resolve(MARK)).contains("Gatun");
  }
}
