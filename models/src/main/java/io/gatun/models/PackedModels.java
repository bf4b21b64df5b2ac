package io.gatun.models;

import io.gatun.ffm.UserCache;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.LoadMode;
import io.gatun.models.llama.LlamaRewrite;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.ops.Workers;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// GGUF files repacked into tiles, kept in the user's cache: each is packed once and mapped from
/// there ever after.
///
/// A packed file is found by the original's size, time of modification and first megabyte, so that
/// a changed original is packed anew. Using it makes it the latest; when there are too many bytes,
/// the ones not used for longest go. Any number of processes may do all this at once.
public final class PackedModels {
  /// Packed files of another layout are not found any more, and go when their time has come.
  private static final int LAYOUT = 1;

  private static final int HEADER = 1 << 20;

  /// The least default limit; a large disk allows a tenth of it.
  private static final long LIMIT = 20_000_000_000L;

  /// What is still being written is touched more often than that.
  private static final Duration ABANDONED = Duration.ofHours(1);

  private final Path folder;
  private final int threads;
  private final long limit;
  private final Consumer<String> notices;

  /// @param folder where they are kept: [#folder()] but for tests
  /// @param threads that pack
  /// @param limit the most bytes of packed files, or 0 for the default: 20 GB, or a tenth of the
  ///   disk where that is more
  /// @param notices takes a line when a model is packed or cannot be
  public PackedModels(Path folder, int threads, long limit, Consumer<String> notices) {
    this.folder = folder;
    this.threads = threads;
    this.limit = limit;
    this.notices = notices;
  }

  /// Where the packed files are.
  public static Path folder() {
    return UserCache.folder().resolve("packed");
  }

  /// Opens a model's packed form, which is made now if it is not there. What is no GGUF file, or
  /// has few matrices with a tiled form, is opened as it is; so is everything, with a notice, when
  /// the cache cannot be written.
  ///
  /// @throws CheckpointException if there is no such model, or it is damaged
  public Checkpoint open(Path model, LoadMode mode) {
    try (var original = Checkpoint.open(model)) {
      if (original.format() == Format.GGUF && isWorthIt(original)) {
        Path packed = folder.resolve(name(original));
        if (isWhole(packed) || pack(original, packed)) {
          touch(packed);
          return Checkpoint.open(packed, mode);
        }
      }
    }
    return Checkpoint.open(model, mode);
  }

  /// A copy of the whole file for less than a quarter of it would be a bad bargain.
  private static boolean isWorthIt(Checkpoint original) {
    long all = 0;
    long packable = 0;
    for (Tensor t : original.tensors().values()) {
      all += t.byteSize();
      packable += Packing.tiledForm(t.dtype()) != null ? t.byteSize() : 0;
    }
    return packable > all / 4;
  }

  private static boolean isWhole(Path packed) {
    if (!Files.exists(packed)) {
      return false;
    }
    try (var _ = Checkpoint.open(packed)) {
      return true;
    } catch (CheckpointException damaged) {
      return false;
    }
  }

  private boolean pack(Checkpoint original, Path packed) {
    var rewrite = LlamaRewrite.packed(original);
    Path model = original.path();
    try {
      Files.createDirectories(folder);
      long allowed = limit > 0 ? limit : defaultLimit();
      if (rewrite.bytes() > allowed) {
        notices.accept(
            "%s: runs from its own blocks: packed, its %s would pass the cache's limit of %s"
                .formatted(model, size(rewrite.bytes()), size(allowed)));
        return false;
      }
      evict(allowed - rewrite.bytes());
      long free = Files.getFileStore(folder).getUsableSpace();
      if (rewrite.bytes() > free) {
        notices.accept(
            "%s: runs from its own blocks: packed, it would take %s, and %s has %s free"
                .formatted(model, size(rewrite.bytes()), folder, size(free)));
        return false;
      }
      notices.accept(
          "%s: packing its %s for faster runs, this once, into %s"
              .formatted(model, size(rewrite.bytes()), folder));
      try (var workers = new Workers(threads)) {
        rewrite.write(packed, workers, bytes -> {});
      }
      return true;
    } catch (CheckpointException e) {
      notices.accept("%s: runs from its own blocks: %s".formatted(model, e.getMessage()));
    } catch (IOException e) {
      notices.accept(
          "%s: runs from its own blocks: the cache cannot be written: %s".formatted(model, e));
    }
    return false;
  }

  /// Makes room: the files of this cache that were not used for longest go until at most `allowed`
  /// bytes are left, and whatever a killed process left behind.
  private void evict(long allowed) throws IOException {
    record Entry(Path path, long bytes, Instant used) {}
    var entries = new ArrayList<Entry>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        try {
          var used = Files.getLastModifiedTime(file).toInstant();
          if (file.toString().endsWith(".gguf")) {
            entries.add(new Entry(file, Files.size(file), used));
          } else if (used.isBefore(Instant.now().minus(ABANDONED))) {
            Files.deleteIfExists(file);
          }
        } catch (IOException goneOrInUse) {
          // Another process was faster, or, on Windows, has it mapped.
        }
      }
    }
    entries.sort(Comparator.comparing(Entry::used));
    long sum = entries.stream().mapToLong(Entry::bytes).sum();
    for (var entry : entries) {
      if (sum > allowed) {
        try {
          Files.deleteIfExists(entry.path);
          sum -= entry.bytes;
        } catch (IOException inUse) {
          // On Windows a mapped file stays.
        }
      }
    }
  }

  private long defaultLimit() throws IOException {
    return Math.max(LIMIT, Files.getFileStore(folder).getTotalSpace() / 10);
  }

  private static void touch(Path packed) {
    try {
      Files.setLastModifiedTime(packed, FileTime.from(Instant.now()));
    } catch (IOException readOnly) {
      // It only goes earlier than it should.
    }
  }

  /// The original's name, for people, and what tells it from every other file.
  private static String name(Checkpoint original) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      digest.update((byte) LAYOUT);
      List<Checkpoint.Part> parts = original.parts();
      for (var part : parts) {
        long modified = Files.getLastModifiedTime(part.path()).toMillis();
        digest.update(ByteBuffer.allocate(16).putLong(part.bytes()).putLong(modified).flip());
        try (InputStream in = Files.newInputStream(part.path())) {
          digest.update(in.readNBytes(HEADER));
        }
      }
      String stem = parts.getFirst().path().getFileName().toString().replaceFirst("\\.gguf$", "");
      String hash = HexFormat.of().formatHex(digest.digest(), 0, 8);
      return stem + "-" + hash + ".gguf";
    } catch (IOException e) {
      throw new CheckpointException(original.path() + ": cannot be read: " + e.getMessage(), e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String size(long bytes) {
    return bytes < 1_000_000_000
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
