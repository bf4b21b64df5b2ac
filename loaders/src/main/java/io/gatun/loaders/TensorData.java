package io.gatun.loaders;

import java.lang.foreign.MemorySegment;

/// Gives a tensor's bytes when they are to be written, so that no more than a piece of it need be
/// in memory.
@FunctionalInterface
public interface TensorData {
  /// Gives the bytes from the first to the last, in pieces of any size.
  void writeTo(Sink sink);

  /// Takes the bytes, in order.
  interface Sink {
    /// Writes a piece, whose memory may be reused afterwards: native memory, or a byte array's.
    ///
    /// @throws CheckpointException if the file cannot be written
    void write(MemorySegment bytes);
  }
}
