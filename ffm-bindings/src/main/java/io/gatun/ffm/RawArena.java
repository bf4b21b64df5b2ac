package io.gatun.ffm;

import io.gatun.ffm.raw.RawReaders;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;

/// Memory that any thread may use and any thread may close, also while kernels and native libraries
/// read it by its address, of which Java knows nothing.
///
/// Its segments have a scope of their own. Closing ends that first, so that whatever begins to use
/// them from then on is refused, waits for what is being computed, and only then frees the memory.
public final class RawArena implements Arena {
  private static final long CACHE_LINE = 64;

  private final Arena memory = Arena.ofShared();
  private final Arena scope = Arena.ofShared();
  private final AtomicBoolean closed = new AtomicBoolean();
  private final List<MemorySegment> mapped = new CopyOnWriteArrayList<>();

  /// An arena without memory yet.
  public RawArena() {}

  @Override
  public MemorySegment allocate(long byteSize, long byteAlignment) {
    return scoped(memory.allocate(byteSize, byteAlignment));
  }

  /// Zeros, for memory that is much used: what is large lies in pages that the system makes when
  /// they are first touched, and in huge ones where it has them.
  ///
  /// @throws OutOfMemoryError if the system gives no more
  public MemorySegment reserve(long byteSize) {
    return scoped(
        byteSize < AnonymousMemory.HUGE_PAGE
            ? memory.allocate(byteSize, CACHE_LINE)
            : AnonymousMemory.map(byteSize, memory));
  }

  /// Maps the whole of a file to be read.
  ///
  /// @throws IOException if the system does not
  public MemorySegment map(FileChannel file) throws IOException {
    var bytes = file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), memory);
    mapped.add(bytes);
    MappedFiles.add(bytes);
    return scoped(bytes).asReadOnly();
  }

  @SuppressWarnings("restricted") // no larger than it is, and freed after that scope has ended
  private MemorySegment scoped(MemorySegment segment) {
    return segment.reinterpret(scope, null);
  }

  @Override
  public MemorySegment.Scope scope() {
    return scope.scope();
  }

  /// Frees the memory as soon as nobody computes with it; a second call does nothing.
  ///
  /// @throws IllegalStateException if a task of an operation calls it, which would wait for itself
  @Override
  public void close() {
    RawReaders.checkOutside();
    if (closed.getAndSet(true)) {
      return;
    }
    while (!endScope()) {
      Thread.onSpinWait();
    }
    RawReaders.await();
    free();
  }

  /// As [#close], at once, for memory that nobody has a use for any more.
  public void closeUnused() {
    if (!closed.getAndSet(true)) {
      scope.close();
      free();
    }
  }

  private void free() {
    mapped.forEach(MappedFiles::remove);
    memory.close();
  }

  /// Ends the scope, unless a native call is reading the memory.
  private boolean endScope() {
    try {
      scope.close();
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }
}
