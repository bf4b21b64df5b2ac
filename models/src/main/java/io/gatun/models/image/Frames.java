package io.gatun.models.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// The pictures of a video, one at a time: a folder of images, or an animated GIF.
public interface Frames extends AutoCloseable {
  /// Endings of the names of files that are images.
  List<String> ENDINGS = List.of(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp");

  /// How many there are.
  int count();

  /// The next one.
  ///
  /// @throws java.util.NoSuchElementException after the last one
  /// @throws ImageException if it is damaged, or larger than allowed
  Image next();

  @Override
  void close();

  /// Opens a folder, of which the images come by their names, numbers in those by value, or a GIF
  /// file.
  ///
  /// @param maxPixels the largest picture that is read
  /// @throws ImageException if it is neither, or has no pictures
  static Frames open(Path path, long maxPixels) {
    if (!Files.isDirectory(path)) {
      String name = path.getFileName().toString();
      if (Files.exists(path) && !name.toLowerCase(Locale.ROOT).endsWith(".gif")) {
        throw new ImageException(
            "%s: is neither a folder of images nor a GIF, and Gatun reads no other videos. Make a folder of its frames with: mkdir frames && ffmpeg -i %s -q:v 2 -start_number 0 frames/%%05d.jpg"
                .formatted(path, path));
      }
      return new GifFrames(path, maxPixels);
    }
    try (var all = Files.list(path)) {
      var files =
          all.filter(Files::isRegularFile).filter(Frames::isImage).sorted(BY_NUMBERS).toList();
      if (files.isEmpty()) {
        throw new ImageException(
            "%s: has no images: no file in it ends in %s"
                .formatted(path, String.join(", ", ENDINGS)));
      }
      return new FolderFrames(files, maxPixels);
    } catch (IOException e) {
      throw FileBytes.exception(path, e);
    }
  }

  /// Whether a file's name is that of an image.
  static boolean isImage(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return ENDINGS.stream().anyMatch(name::endsWith);
  }

  /// 9.jpg before 10.jpg.
  Comparator<Path> BY_NUMBERS =
      Comparator.comparing((Path file) -> FolderFrames.sortable(file.getFileName().toString()))
          .thenComparing(Comparator.naturalOrder());
}
