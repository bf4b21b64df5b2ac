package io.gatun.loaders.pth;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.file.ByteReader;
import io.gatun.loaders.file.SourceFile;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/// Where the entries of a zip file lie, so that stored ones can be used in place.
///
/// `java.util.zip` gives streams only, hence this reader of the central directory.
///
/// Source: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7 (local header), 4.3.12 (central directory),
/// 4.3.14 to 4.3.16 (its end), 4.5.3 (zip64 sizes).
final class ZipDirectory {
  private static final int LOCAL = 0x04034b50;
  private static final int CENTRAL = 0x02014b50;
  private static final int END = 0x06054b50;
  private static final int END_64 = 0x06064b50;
  private static final int END_64_LOCATOR = 0x07064b50;

  private static final int END_BYTES = 22;
  private static final int LOCATOR_BYTES = 20;
  private static final int CENTRAL_BYTES = 46;
  private static final int MAX_COMMENT = 65_535;
  private static final int MAX_ENTRIES = 1 << 18;

  /// About what an entry takes of the heap beside its name.
  private static final int ENTRY = 192;

  private static final long IN_ZIP64 = 0xFFFF_FFFFL;

  private record Entry(int flags, int method, long size, long storedSize, long header) {}

  private final SourceFile file;
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /// @throws CheckpointException if there is no directory, or it is damaged
  ZipDirectory(SourceFile file) {
    this.file = file;
    long end = findEnd();
    var in = file.reader(end, END_BYTES, "the zip directory's end");
    in.skip(10);
    long count = in.u16();
    long size = in.i32() & IN_ZIP64;
    long start = in.i32() & IN_ZIP64;
    if (end >= LOCATOR_BYTES) {
      var locator = file.reader(end - LOCATOR_BYTES, LOCATOR_BYTES, "the zip64 locator");
      if (locator.i32() == END_64_LOCATOR) {
        locator.skip(4);
        var end64 = file.reader(locator.i64(), 56, "the zip64 directory's end");
        if (end64.i32() != END_64) {
          throw file.error("the zip64 directory's end is not where the locator says: damaged");
        }
        end64.skip(28);
        count = end64.i64();
        size = end64.i64();
        start = end64.i64();
      }
    }
    if (count < 0 || count > MAX_ENTRIES) {
      throw file.error(
          "the zip directory claims %s entries; at most %d are read"
              .formatted(Long.toUnsignedString(count), MAX_ENTRIES));
    }
    var directory = file.reader(start, size, "the zip directory");
    file.allow(size);
    directory.context("the zip directory");
    for (int i = 0; i < count; i++) {
      readEntry(directory);
    }
  }

  /// The directory's end is found from behind: only a comment may follow it.
  private long findEnd() {
    long last = file.size() - END_BYTES;
    for (long at = last; at >= Math.max(0, last - MAX_COMMENT); at--) {
      var in = file.reader(at, END_BYTES, "the zip directory's end");
      if (in.i32() == END) {
        in.skip(16);
        if (in.u16() == last - at) {
          return at;
        }
      }
    }
    throw file.error(
        "begins as a zip file but has no directory at its end: it is truncated; get it again");
  }

  private void readEntry(ByteReader in) {
    if (in.remaining() < CENTRAL_BYTES || in.i32() != CENTRAL) {
      throw in.error("no entry where one belongs: the file is damaged");
    }
    in.skip(4);
    int flags = in.u16();
    int method = in.u16();
    in.skip(8);
    long storedSize = in.i32() & IN_ZIP64;
    long size = in.i32() & IN_ZIP64;
    int nameLength = in.u16();
    int extraLength = in.u16();
    int commentLength = in.u16();
    in.skip(8);
    long header = in.i32() & IN_ZIP64;
    file.spend(ENTRY + 2L * nameLength);
    String name = in.utf8(nameLength);
    for (int left = extraLength; left >= 4; ) {
      int id = in.u16();
      int length = in.u16();
      left -= 4;
      if (length > left) {
        throw in.error("entry \"%s\" has a damaged extra field".formatted(name));
      }
      left -= length;
      int unread = length;
      if (id == 1 && size == IN_ZIP64 && unread >= 8) {
        size = in.i64();
        unread -= 8;
      }
      if (id == 1 && storedSize == IN_ZIP64 && unread >= 8) {
        storedSize = in.i64();
        unread -= 8;
      }
      if (id == 1 && header == IN_ZIP64 && unread >= 8) {
        header = in.i64();
        unread -= 8;
      }
      in.skip(unread);
      extraLength -= 4 + length;
    }
    in.skip(extraLength);
    in.skip(commentLength);
    if (entries.put(name, new Entry(flags, method, size, storedSize, header)) != null) {
      throw in.error("entry \"%s\" is in the zip file twice".formatted(name));
    }
  }

  /// The entries' names in the directory's order.
  Iterable<String> names() {
    return entries.keySet();
  }

  boolean has(String name) {
    return entries.containsKey(name);
  }

  /// Where the bytes of an entry begin in the file.
  ///
  /// @throws CheckpointException if there is no such entry, or it is compressed or encrypted
  long offset(String name) {
    Entry e = entry(name);
    if (e.method != 0 || (e.flags & 1) != 0 || e.size != e.storedSize) {
      throw file.error(
          "entry \"%s\" is compressed or encrypted; only stored entries can be mapped. torch.save writes such: load the file in PyTorch and save it again"
              .formatted(name));
    }
    var in = file.reader(e.header, 30, "the header of entry \"" + name + "\"");
    if (in.i32() != LOCAL) {
      throw file.error("entry \"%s\" is not where the directory says: damaged".formatted(name));
    }
    in.skip(22);
    long start = e.header + 30 + in.u16() + in.u16();
    file.slice(start, e.size, "entry \"" + name + "\"");
    return start;
  }

  long size(String name) {
    return entry(name).size;
  }

  /// The bytes of an entry, in place.
  MemorySegment data(String name) {
    return file.slice(offset(name), size(name), "entry \"" + name + "\"");
  }

  private Entry entry(String name) {
    Entry e = entries.get(name);
    if (e == null) {
      throw file.error("no entry \"%s\" in the zip file: it is damaged".formatted(name));
    }
    return e;
  }
}
