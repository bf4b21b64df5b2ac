package io.gatun.ffm.raw;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// The process's whole memory, unchecked, for kernels whose entry has checked what they will touch.
///
/// A load or store through a constant segment compiles to one instruction. Through a segment that
/// is a parameter it carries checks of the segment's class, scope and bounds, which C2 hoists out
/// of a loop only as long as its profiles allow; a kernel of this kind ran at a quarter of the
/// speed, and at times in a circle of deoptimizations.
public final class RawMemory {
  /// Offsets into it are addresses.
  @SuppressWarnings("restricted")
  public static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private RawMemory() {}

  /// The address of `bytes` bytes of `segment` from `offset` on.
  ///
  /// @throws IndexOutOfBoundsException if they are not all within the segment
  /// @throws IllegalArgumentException if the segment is on the Java heap
  /// @throws IllegalStateException if its arena is closed
  public static long address(MemorySegment segment, long offset, long bytes) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException(
          "kernels need native memory; " + segment + " is on the heap");
    }
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException(
          "the checkpoint or model that this memory belongs to is closed");
    }
    return segment.address() + Objects.checkFromIndexSize(offset, bytes, segment.byteSize());
  }
}
