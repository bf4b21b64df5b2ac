package io.gatun.models.image;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Pattern;

/// The images of a folder.
final class FolderFrames implements Frames {
  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final int DIGITS = 20;

  private final int count;
  private final Iterator<Path> files;
  private final long maxPixels;

  FolderFrames(List<Path> files, long maxPixels) {
    count = files.size();
    this.files = files.iterator();
    this.maxPixels = maxPixels;
  }

  /// A name in which numbers have so many digits that they sort by their values.
  static String sortable(String name) {
    return NUMBER
        .matcher(name)
        .replaceAll(m -> "0".repeat(Math.max(0, DIGITS - m.group().length())) + m.group());
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public Image next() {
    return Image.read(files.next(), maxPixels);
  }

  @Override
  public void close() {}
}
