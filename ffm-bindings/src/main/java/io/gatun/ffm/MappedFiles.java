package io.gatun.ffm;

import java.lang.foreign.MemorySegment;
import java.util.NavigableMap;
import java.util.TreeMap;

/// The files that are mapped to be read, as [RawArena#map] maps them: memory whose pages the
/// process may give back at any time, since they come from the file again when they are next read.
public final class MappedFiles {
  /// Their sizes by their addresses.
  private static final NavigableMap<Long, Long> MAPPED = new TreeMap<>();

  private MappedFiles() {}

  static synchronized void add(MemorySegment file) {
    MAPPED.put(file.address(), file.byteSize());
  }

  /// For before it is unmapped.
  static synchronized void remove(MemorySegment file) {
    MAPPED.remove(file.address());
  }

  /// Whether all of the segment is in a mapped file.
  public static synchronized boolean contains(MemorySegment segment) {
    var file = segment.isNative() ? MAPPED.floorEntry(segment.address()) : null;
    return file != null
        && segment.address() + segment.byteSize() <= file.getKey() + file.getValue();
  }

  /// Takes a part of a mapped file out of the process's memory: it will not be read soon. The
  /// system keeps it as long as it has nothing better to do with the room. Nothing happens to other
  /// memory.
  public static synchronized void unload(MemorySegment segment) {
    if (contains(segment)) {
      MemoryAdvice.unneeded(segment);
    }
  }
}
