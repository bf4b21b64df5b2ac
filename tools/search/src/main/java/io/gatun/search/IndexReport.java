package io.gatun.search;

import java.util.List;

/// What became of the documents that were to be indexed.
///
/// @param added documents that are new, or have changed
/// @param unchanged documents that are as they were
/// @param removed documents that are no longer there
/// @param ignored files of kinds that are not read
/// @param chunks that were written
/// @param failures documents that could not be read, in words that begin with the file's name; what
///   the index had of them before is still there
public record IndexReport(
    int added, int unchanged, int removed, int ignored, int chunks, List<String> failures) {
  /// Copies the list.
  public IndexReport {
    failures = List.copyOf(failures);
  }
}
