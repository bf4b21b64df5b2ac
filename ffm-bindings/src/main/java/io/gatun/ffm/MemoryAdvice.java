package io.gatun.ffm;

import io.gatun.ffm.posix.Posix;
import java.lang.foreign.MemorySegment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tells the operating system how memory, mapped files above all, will be used (`madvise`). It is
/// advice: where the system does not take it, as Windows does not, nothing changes but a line in
/// the debug log.
public final class MemoryAdvice {
  private static final Logger LOG = LoggerFactory.getLogger(MemoryAdvice.class);
  private static final String OS = Platform.current().os();
  private static final long PAGE_SIZE =
      switch (OS) {
        case "linux" -> Posix.sysconf(Posix._SC_PAGESIZE());
        case "macosx" -> 16384;
        default -> 4096;
      };

  private MemoryAdvice() {}

  /// The segment will be read soon: start reading it in.
  public static void willNeed(MemorySegment segment) {
    advise(segment, Posix.MADV_WILLNEED(), "willNeed", OS.equals("windows"));
  }

  /// The segment is large and much used: back with huge pages what is not touched yet. Linux alone
  /// knows this.
  public static void hugePages(MemorySegment segment) {
    advise(segment, Posix.MADV_HUGEPAGE(), "hugePages", !OS.equals("linux"));
  }

  /// The segment, which lies in a file that is mapped to be read, will not be read soon. Other
  /// memory would be lost.
  static void unneeded(MemorySegment segment) {
    advise(segment, Posix.MADV_DONTNEED(), "unneeded", OS.equals("windows"));
  }

  private static void advise(MemorySegment segment, int advice, String name, boolean unsupported) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("only native memory can be advised on: " + segment);
    }
    if (segment.byteSize() == 0) {
      return;
    }
    if (unsupported) {
      LOG.debug("{} is not known on {}", name, OS);
      return;
    }
    // Whole pages: those that the segment touches.
    long start = segment.address() / PAGE_SIZE * PAGE_SIZE;
    long length = segment.address() + segment.byteSize() - start;
    if (Posix.madvise(MemorySegment.ofAddress(start), length, advice) != 0) {
      LOG.debug("the system refused {} for {} bytes at {}", name, length, start);
    }
  }
}
