package io.gatun.ffm.files;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.FileVisitor;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// One thing that Gatun has put into the cache: a packed model, an unpacked library, a synthetic
/// checkpoint. Whatever else lies there, links included, is no entry and is never touched.
///
/// @param name `packed/NAME`, `natives/NAME` or `synthetic/NAME`
/// @param bytes the sum of its files
/// @param used when it was last written or, of packed models, used
public record CacheEntry(String name, long bytes, Instant used) {
  private static final String STAMP = "(\\.stamp)?";

  /// Every name that Gatun gives to a file of the cache.
  private static final List<Pattern> NAMES =
      List.of(
          Pattern.compile("packed/[^/]+-[0-9a-f]{16}\\.gguf" + STAMP),
          Pattern.compile(
              "natives/(openblas|onednn)(-[0-9a-f]{8}-[0-9a-f]+)+/[^/.]+\\.(so\\.\\d+|(\\d\\.)*dylib|dll)"
                  + STAMP),
          Pattern.compile("synthetic/sam-vit_[blh]\\.safetensors"),
          Pattern.compile(
              "synthetic/[a-z0-9.]+-[a-z0-9._-]+/(((unet|vae|text_encoder(_2)?|scheduler)/)?"
                  + "(config\\.json|model\\.safetensors)|model\\.gguf|tokenizer\\.json|model_index\\.json)"),
          // What a killed process of an earlier version left.
          Pattern.compile(
              "(packed|synthetic)/(.+/)?\\..+\\.[0-9a-f-]{36}\\.tmp|natives/.+/lib.+\\d+\\.part"));

  /// Everything in the cache, by name. What killed processes left half written goes.
  ///
  /// @throws IllegalArgumentException if `-Dgatun.cache` names a folder that holds other files
  /// @throws UncheckedIOException if the cache cannot be read
  public static List<CacheEntry> all() {
    Path folder = UserCache.folder();
    var entries = new TreeMap<String, CacheEntry>();
    walk(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attributes) {
            AtomicFile.removeAbandoned(dir);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            String path = path(folder, file);
            if (attributes.isRegularFile() && isOurs(path)) {
              String name = entryOf(path);
              Instant time = attributes.lastModifiedTime().toInstant();
              entries.merge(
                  name, new CacheEntry(name, attributes.size(), time), CacheEntry::together);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return new ArrayList<>(entries.values());
  }

  private static CacheEntry together(CacheEntry a, CacheEntry b) {
    return new CacheEntry(a.name, a.bytes + b.bytes, a.used.isAfter(b.used) ? a.used : b.used);
  }

  /// Whether `wanted` is its name, with or without its kind.
  public boolean isNamed(String wanted) {
    return name.equals(wanted) || name.endsWith("/" + wanted);
  }

  /// Whether `wanted` is its name, with or without its kind, or its kind.
  public boolean is(String wanted) {
    return isNamed(wanted) || name.startsWith(wanted + "/");
  }

  /// Removes its files, and the folders that are empty then.
  ///
  /// @throws UncheckedIOException if a file cannot be removed
  public void remove() {
    Path folder = UserCache.folder();
    walk(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            String path = path(folder, file);
            if (attributes.isRegularFile() && isOurs(path) && entryOf(path).equals(name)) {
              Files.deleteIfExists(file);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, IOException e) throws IOException {
            if (path(folder, dir).startsWith(name) && isEmpty(dir)) {
              Files.deleteIfExists(dir);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /// Links are not followed. What goes while it is looked at is gone, and no failure.
  private static void walk(Path folder, FileVisitor<Path> visitor) {
    for (String kind : List.of("natives", "packed", "synthetic")) {
      Path start = folder.resolve(kind);
      if (Files.isDirectory(start, LinkOption.NOFOLLOW_LINKS)) {
        try {
          Files.walkFileTree(start, visitor);
        } catch (NoSuchFileException gone) {
          // Another process cleared it.
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
  }

  private static String path(Path folder, Path file) {
    return folder.relativize(file).toString().replace('\\', '/');
  }

  private static boolean isOurs(String path) {
    return NAMES.stream().anyMatch(pattern -> pattern.matcher(path).matches());
  }

  /// The first two parts of the path, and for a stamp those of the file that it belongs to.
  private static String entryOf(String path) {
    int end = path.indexOf('/', path.indexOf('/') + 1);
    String name = end < 0 ? path : path.substring(0, end);
    return name.endsWith(Stamp.SUFFIX)
        ? name.substring(0, name.length() - Stamp.SUFFIX.length())
        : name;
  }

  private static boolean isEmpty(Path folder) throws IOException {
    try (var files = Files.newDirectoryStream(folder)) {
      return !files.iterator().hasNext();
    }
  }
}
