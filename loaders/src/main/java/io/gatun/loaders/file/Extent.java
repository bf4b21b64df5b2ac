package io.gatun.loaders.file;

import io.gatun.loaders.CheckpointException;
import java.util.Comparator;
import java.util.List;

/// The bytes of a tensor or a storage of several, `begin` (inclusive) to `end` (exclusive).
///
/// @param what they are, for messages: `tensor "a"`
public record Extent(String what, long begin, long end) {
  /// The extents in the order of their bytes.
  ///
  /// @throws CheckpointException if two share a byte
  public static List<Extent> sorted(SourceFile file, List<Extent> extents) {
    var sorted =
        extents.stream()
            .sorted(Comparator.comparingLong(Extent::begin).thenComparingLong(Extent::end))
            .toList();
    Extent before = null;
    for (Extent e : sorted) {
      if (before != null && e.begin < before.end) {
        throw file.error(
            "%s (bytes %d..%d) and %s (bytes %d..%d) overlap: the file is damaged or forged"
                .formatted(before.what, before.begin, before.end, e.what, e.begin, e.end));
      }
      before = e;
    }
    return sorted;
  }
}
