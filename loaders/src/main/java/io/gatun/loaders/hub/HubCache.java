package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The folder that Hugging Face's own library keeps, and all that share its layout:
///
/// ```
/// models--ORG--MODEL/blobs/HASH               contents, by what the hub calls their etag
///                    snapshots/COMMIT/FILE    links to them
///                    refs/main                the commit that a branch or tag means
///                    .no_exist/COMMIT/FILE    what was asked for in vain
/// .locks/models--ORG--MODEL/HASH.lock         held by who fetches it
/// ```
///
/// @param links whether snapshots may have links
record HubCache(Path root, boolean links) {
  private static final Pattern FOLDER = Pattern.compile("models--(.+?)--(.+)");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
  private static final String TAG =
      """
      Signature: 8a477f597d28d172789f06886806bc55
      # The cache of models from the Hugging Face hub.
      """;

  /// Within a process a file's lock does not keep threads apart.
  private static final Map<Path, ReentrantLock> THREADS = new ConcurrentHashMap<>();

  /// A lock that others hold, in this process or another, is waited for.
  interface Held extends AutoCloseable {
    @Override
    void close() throws IOException;
  }

  Path folder(String repository) {
    return root.resolve("models--" + repository.replace("/", "--"));
  }

  /// The repository whose folder it is.
  static Optional<String> repository(Path folder) {
    Matcher name = FOLDER.matcher(folder.getFileName().toString());
    return name.matches() ? Optional.of(name.group(1) + "/" + name.group(2)) : Optional.empty();
  }

  Path blob(String repository, String etag) {
    return folder(repository).resolve("blobs").resolve(etag);
  }

  Path snapshot(String repository, String commit) {
    return folder(repository).resolve("snapshots").resolve(commit);
  }

  /// The commit that a revision meant when it was last asked for.
  Optional<String> commit(HubName name) {
    if (COMMIT.matcher(name.revision()).matches()) {
      return Optional.of(name.revision());
    }
    try {
      Path ref =
          HubPaths.below(
              folder(name.repository()).resolve("refs"), name.revision(), "the revision");
      return Optional.of(Files.readString(ref).strip()).filter(c -> COMMIT.matcher(c).matches());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /// The files of a snapshot that are there, with their sizes.
  SequencedMap<String, Long> files(String repository, String commit) {
    Path snapshot = snapshot(repository, commit);
    var found = new TreeMap<String, Long>();
    try (Stream<Path> files = Files.walk(snapshot)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        found.put(
            snapshot.relativize(file).toString().replace(java.io.File.separatorChar, '/'),
            Files.size(file));
      }
    } catch (IOException | java.io.UncheckedIOException e) {
      return new TreeMap<>(); // none, or going just now
    }
    return found;
  }

  /// Whether it is known that a commit has no such file.
  boolean isKnownMissing(String repository, String commit, String file) {
    return Files.exists(noExist(repository, commit, file));
  }

  void rememberMissing(String repository, String commit, String file) {
    try {
      Path mark = noExist(repository, commit, file);
      Files.createDirectories(mark.getParent());
      Files.createFile(mark);
    } catch (IOException e) {
      // It is there, or it is asked for again.
    }
  }

  private Path noExist(String repository, String commit, String file) {
    return folder(repository).resolve(".no_exist").resolve(commit).resolve(file);
  }

  /// Makes the folders, and marks the cache as one, for who makes backups.
  void open(String repository) throws IOException {
    Files.createDirectories(folder(repository).resolve("blobs"));
    Files.createDirectories(
        folder(repository).resolve("snapshots")); // without it, it counts as damaged
    Path tag = root.resolve("CACHEDIR.TAG");
    if (!Files.exists(tag)) {
      Files.writeString(tag, TAG);
    }
  }

  /// The lock of a file's contents.
  Held lock(String repository, String etag) throws IOException {
    Path folder = root.resolve(".locks").resolve("models--" + repository.replace("/", "--"));
    Files.createDirectories(folder);
    Path file = folder.toRealPath().resolve(etag + ".lock");
    var threads = THREADS.computeIfAbsent(file, _ -> new ReentrantLock());
    try {
      threads.lockInterruptibly();
    } catch (InterruptedException e) {
      throw HubClient.interrupted(e);
    }
    try {
      var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = lock(channel);
      return () -> {
        try (channel) {
          if (lock != null) {
            lock.release();
          }
        } finally {
          threads.unlock();
        }
      };
    } catch (IOException | RuntimeException e) {
      threads.unlock();
      throw e;
    }
  }

  /// Null where the file system has no locks: then two may fetch the same, and both are right.
  private static FileLock lock(FileChannel channel) throws IOException {
    try {
      return channel.lock();
    } catch (java.nio.channels.FileLockInterruptionException e) {
      channel.close();
      throw e;
    } catch (IOException e) {
      return null;
    }
  }

  /// Has a snapshot's file be the contents, whose lock is held.
  ///
  /// @param isNew whether no other snapshot can have a link to them yet
  void link(String repository, String commit, RepoFile file, boolean isNew) throws IOException {
    Path snapshot = snapshot(repository, commit);
    Path link = HubPaths.below(snapshot, file.path(), "a file of " + repository);
    Path blob = blob(repository, file.etag());
    Files.createDirectories(link.getParent());
    if (has(repository, commit, file)) {
      return;
    }
    Files.deleteIfExists(link); // a link to what is gone, or damaged
    if (links) {
      try {
        Files.createSymbolicLink(link, link.getParent().relativize(blob));
        return;
      } catch (FileAlreadyExistsException e) {
        return;
      } catch (UnsupportedOperationException | FileSystemException e) {
        // Windows, unless the user may; some network drives.
      }
    }
    // As Hugging Face's library does: the file itself lies in the snapshot.
    if (isNew) {
      Files.move(blob, link);
    } else {
      Path temporary = link.resolveSibling("." + file.etag() + ".incomplete");
      Files.copy(blob, temporary, StandardCopyOption.REPLACE_EXISTING);
      move(temporary, link);
    }
  }

  /// Whether a file is in a snapshot, with all its bytes.
  boolean has(String repository, String commit, RepoFile file) {
    return isWhole(
        HubPaths.below(snapshot(repository, commit), file.path(), "a file of " + repository), file);
  }

  /// Whether something has all bytes of a file: what another program left may not.
  static boolean isWhole(Path path, RepoFile file) {
    try {
      return Files.size(path) == file.size();
    } catch (IOException e) {
      return false;
    }
  }

  /// Remembers what a branch or tag means.
  void refer(HubName name, String commit) throws IOException {
    if (commit.equals(name.revision()) || commit(name).equals(Optional.of(commit))) {
      return;
    }
    Path ref =
        HubPaths.below(folder(name.repository()).resolve("refs"), name.revision(), "the revision");
    Files.createDirectories(ref.getParent());
    Path temporary =
        ref.resolveSibling(
            ref.getFileName() + "." + UUID.randomUUID().toString().substring(0, 8) + ".tmp");
    Files.writeString(temporary, commit);
    move(temporary, ref);
  }

  static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /// Makes sure that so many bytes fit on the disk.
  ///
  /// @throws CheckpointException if they do not
  void requireSpace(HubName name, long bytes) throws IOException {
    Path there = root;
    while (!Files.exists(there) && there.getParent() != null) {
      there = there.getParent();
    }
    FileStore disk = Files.getFileStore(there);
    long free = disk.getUsableSpace();
    if (bytes > free) {
      throw new CheckpointException(
          "%s: %s are to be fetched, and %s has %s free. Make room (gatun list, gatun rm), or set HF_HUB_CACHE to a folder on a larger disk"
              .formatted(name, Sizes.of(bytes), root, Sizes.of(free)));
    }
  }

  /// The size of a file that may not be there.
  static long sizeOf(Path file) throws IOException {
    try {
      return Files.readAttributes(
              file, java.nio.file.attribute.BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
          .size();
    } catch (NoSuchFileException e) {
      return 0;
    }
  }
}
