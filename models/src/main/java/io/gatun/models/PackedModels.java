package io.gatun.models;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.ffm.files.Stamp;
import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.LoadMode;
import io.gatun.models.quantized.PackedCheckpoint;
import io.gatun.models.quantized.QuantizedCheckpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.FreeMemory;
import io.gatun.tensor.runtime.Workers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/// GGUF files, and the integers of models that GPTQ, AWQ and the like made, repacked into tiles,
/// kept in the user's cache: each is packed once and mapped from there ever after.
///
/// A packed file is found by the original's size, time of modification, header, configuration and
/// samples of every tensor, so that a changed original is packed anew. A packed file that anything
/// has changed since (see [Stamp]) is made again. Using it makes it the latest; when there are too
/// many bytes, the ones not used for longest go. Any number of processes may do all this at once.
///
/// Blocks of up to three bits become tiles of four and a half. They stay what they are where memory
/// has no room for those.
public final class PackedModels {
  /// Packed files of another layout are not found any more, and go when their time has come.
  private static final int LAYOUT = 3;

  /// What packed files are called, and nothing else that may lie beside them.
  private static final Pattern NAME = Pattern.compile(".+-[0-9a-f]{16}\\.(gguf|safetensors)");

  private static final int HEADER = 1 << 20;

  /// Of each tensor, this many bytes are read in this many places.
  private static final int SAMPLE = 256;

  private static final int SAMPLES = 4;

  /// The least default limit; a large disk allows a tenth of it.
  private static final long LIMIT = 20_000_000_000L;

  private final Folder folder;
  private final int threads;
  private final long limit;
  private final Consumer<String> notices;

  /// Where they are kept; an `IOException` says why they cannot be.
  private interface Folder {
    Path open() throws IOException;
  }

  /// In the user's cache.
  ///
  /// @param threads that pack
  /// @param limit the most bytes of packed files, or 0 for the default: 20 GB, or a tenth of the
  ///   disk where that is more
  /// @param notices takes a line when a model is packed or cannot be
  public PackedModels(int threads, long limit, Consumer<String> notices) {
    this(() -> UserCache.openLasting("packed"), threads, limit, notices);
  }

  /// The same in another folder.
  public PackedModels(Path folder, int threads, long limit, Consumer<String> notices) {
    this(() -> Files.createDirectories(folder), threads, limit, notices);
  }

  private PackedModels(Folder folder, int threads, long limit, Consumer<String> notices) {
    this.folder = folder;
    this.threads = threads;
    this.limit = limit;
    this.notices = notices;
  }

  /// Opens a model's packed form, which is made now if it is not there. What has few matrices with
  /// a tiled form, or has them already, is opened as it is; so is everything, with a notice, when
  /// the cache cannot be written.
  ///
  /// @throws CheckpointException if there is no such model, or it is damaged
  public Checkpoint open(Path model, LoadMode mode) {
    var original = Checkpoint.open(model, LoadMode.MAP);
    Checkpoint opened = null;
    try {
      opened = packed(original, mode);
      if (opened == null) {
        opened = mode == LoadMode.MAP ? original : Checkpoint.open(model, mode);
      }
      return opened;
    } finally {
      if (opened != original) {
        original.close();
      }
    }
  }

  /// Null for what is opened as it is.
  private Checkpoint packed(Checkpoint original, LoadMode mode) {
    boolean blocks = isWorthIt(original);
    Path file = blocks || QuantizedCheckpoint.hasIntegers(original) ? find(original) : null;
    if (file == null) {
      return null;
    }
    var tiles = Checkpoint.open(file, mode);
    return blocks ? tiles : new PackedCheckpoint(tiles, original.path(), original.metadata());
  }

  /// Whether GGUF's blocks are packed: a copy of the whole file for less than a quarter of it would
  /// be a bad bargain.
  private static boolean isWorthIt(Checkpoint original) {
    if (original.format() != Format.GGUF) {
      return false;
    }
    long all = 0;
    long packable = 0;
    for (Tensor t : original.tensors().values()) {
      all += t.byteSize();
      packable += Packing.tiledForm(t.dtype()) != null ? t.byteSize() : 0;
    }
    return packable > all / 4;
  }

  /// The packed form, or null where it cannot be made; a notice has said why.
  private Path find(Checkpoint original) {
    try {
      Path packed = folder.open().resolve(name(original));
      if (Stamp.isUnchanged(packed) || pack(original, packed)) {
        Stamp.touch(packed);
        return packed;
      }
    } catch (CheckpointException e) {
      notices.accept("%s: %s: %s".formatted(original.path(), unpacked(original), e.getMessage()));
    } catch (IOException e) {
      notices.accept(
          "%s: %s: the cache cannot be used: %s"
              .formatted(original.path(), unpacked(original), reason(e)));
    }
    return null;
  }

  /// What happens to a model that has no place in the cache.
  private static String unpacked(Checkpoint original) {
    return original.format() == Format.GGUF
        ? "runs from its own blocks"
        : "is packed at each start, in memory";
  }

  private static String reason(IOException e) {
    return e.getClass() == IOException.class ? e.getMessage() : e.toString();
  }

  private boolean pack(Checkpoint original, Path packed) throws IOException {
    var rewrite = Rewrite.packed(original);
    if (rewrite.converted() == 0) {
      return false;
    }
    Path model = original.path();
    Path directory = packed.getParent();
    AtomicFile.removeAbandoned(directory);
    long allowed = limit > 0 ? limit : defaultLimit(directory);
    if (rewrite.bytes() > allowed) {
      notices.accept(
          "%s: %s: packed, its %s would pass the cache's limit of %s"
              .formatted(model, unpacked(original), size(rewrite.bytes()), size(allowed)));
      return false;
    }
    long stored = original.tensors().values().stream().mapToLong(Tensor::byteSize).sum();
    long memory = FreeMemory.bytes();
    if (rewrite.bytes() > memory && rewrite.bytes() > stored * 5 / 4) {
      notices.accept(
          "%s: %s: packed, its %s would be %s, and %s of memory are free"
              .formatted(
                  model, unpacked(original), size(stored), size(rewrite.bytes()), size(memory)));
      return false;
    }
    evict(directory, allowed - rewrite.bytes());
    long free = Files.getFileStore(directory).getUsableSpace();
    if (rewrite.bytes() > free) {
      notices.accept(
          "%s: %s: packed, it would take %s, and %s has %s free"
              .formatted(model, unpacked(original), size(rewrite.bytes()), directory, size(free)));
      return false;
    }
    notices.accept(
        "%s: packing its %s for faster runs, this once, into %s"
            .formatted(model, size(rewrite.bytes()), directory));
    try (var workers = new Workers(threads)) {
      if (rewrite.isGguf()) {
        rewrite.write(packed, workers, bytes -> {});
      } else {
        rewrite.writeTensors(packed, workers, bytes -> {});
      }
    }
    Stamp.write(packed);
    return true;
  }

  /// Makes room: the files of this cache that were not used for longest go until at most `allowed`
  /// bytes are left.
  private static void evict(Path directory, long allowed) throws IOException {
    record Entry(Path path, long bytes, Instant used) {}
    var entries = new ArrayList<Entry>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        boolean isPacked = NAME.matcher(file.getFileName().toString()).matches();
        if (isPacked && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
          try {
            entries.add(new Entry(file, Files.size(file), Stamp.used(file)));
          } catch (IOException gone) {
            // Another process was faster.
          }
        }
      }
    }
    entries.sort(Comparator.comparing(Entry::used));
    long sum = entries.stream().mapToLong(Entry::bytes).sum();
    for (var entry : entries) {
      if (sum > allowed) {
        try {
          Files.deleteIfExists(entry.path);
          Files.deleteIfExists(Stamp.of(entry.path));
          sum -= entry.bytes;
        } catch (IOException inUse) {
          // On Windows a mapped file stays.
        }
      }
    }
  }

  private static long defaultLimit(Path directory) throws IOException {
    return Math.max(LIMIT, Files.getFileStore(directory).getTotalSpace() / 10);
  }

  /// The original's name, for people, and what tells it from every other file. Two checksums serve,
  /// which the processor computes, where a cryptographic hash would take a tenth of a second at
  /// each start: samples are no proof against an attacker, whatever they are hashed with.
  private static String name(Checkpoint original) throws IOException {
    var sums = List.<Checksum>of(new CRC32C(), new CRC32());
    List<Checkpoint.Part> parts = original.parts();
    // What is no tensor's is a header's: names, shapes, metadata.
    long headers = parts.stream().mapToLong(Checkpoint.Part::bytes).sum();
    for (Tensor t : original.tensors().values()) {
      headers -= t.byteSize();
    }
    for (var part : parts) {
      long modified = Files.getLastModifiedTime(part.path()).toMillis();
      var numbers = ByteBuffer.allocate(20).putInt(LAYOUT).putLong(part.bytes()).putLong(modified);
      update(sums, numbers.flip());
      try (var file = FileChannel.open(part.path())) {
        long header = Math.min(part.bytes(), Math.max(headers, HEADER));
        update(sums, file.map(FileChannel.MapMode.READ_ONLY, 0, header));
      }
    }
    // A model that was trained further differs in its tensors, perhaps only in a few of them.
    for (Tensor t : original.tensors().values()) {
      sample(t.segment(), sums);
    }
    Path path = original.path();
    String suffix = "gguf";
    if (original.format() != Format.GGUF) {
      suffix = "safetensors";
      Path directory = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
      for (String file : QuantizedCheckpoint.CONFIGURATIONS) {
        if (Files.exists(directory.resolve(file))) {
          update(sums, ByteBuffer.wrap(Files.readAllBytes(directory.resolve(file))));
        }
      }
      path = directory;
    } else {
      path = parts.getFirst().path();
    }
    String stem = path.getFileName().toString().replaceFirst("\\.gguf$", "");
    return "%s-%08x%08x.%s"
        .formatted(stem, sums.getFirst().getValue(), sums.getLast().getValue(), suffix);
  }

  private static void sample(MemorySegment bytes, List<Checksum> sums) {
    long length = Math.min(SAMPLE, bytes.byteSize());
    for (int i = 0; i < SAMPLES; i++) {
      long at = (bytes.byteSize() - length) / (SAMPLES - 1) * i;
      update(sums, bytes.asSlice(at, length).asByteBuffer());
    }
  }

  private static void update(List<Checksum> sums, ByteBuffer bytes) {
    sums.forEach(sum -> sum.update(bytes.duplicate()));
  }

  private static String size(long bytes) {
    return bytes < 1_000_000_000
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
