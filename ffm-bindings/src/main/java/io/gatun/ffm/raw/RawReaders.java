package io.gatun.ffm.raw;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/// Those who read memory by its address, where Java cannot tell that it is gone, and whom closing
/// it has to wait for.
///
/// Whoever frees memory first ends its scope, which [RawMemory#address] looks at before each
/// kernel, and then waits for what began before: see [#await].
public final class RawReaders {
  /// Someone who reads memory by its address, by one thread at a time and those that help it.
  public interface Reader {
    /// Makes sure that the current thread is not in the middle of reading.
    ///
    /// @throws IllegalStateException if it is
    void checkOutside();

    /// How often reading began while others waited. What began before a change of this has ended.
    int begun();

    /// The thread that is reading, or may be; null for none.
    Thread thread();
  }

  private static final long POLL_NANOS = 50_000;

  private static final Set<Reader> READERS = Collections.newSetFromMap(new WeakHashMap<>());

  /// Threads that wait for something, and so read nothing at the moment.
  private static final Set<Thread> WAITING = ConcurrentHashMap.newKeySet();

  private static volatile int awaited;

  private RawReaders() {}

  /// Adds a reader, until the collector finds that nobody uses it.
  public static void add(Reader reader) {
    synchronized (READERS) {
      READERS.add(reader);
    }
  }

  /// Makes sure that the current thread is not in the middle of reading.
  ///
  /// @throws IllegalStateException if it is
  public static void checkOutside() {
    readers().forEach(Reader::checkOutside);
  }

  /// Whether someone waits for readers, who then count how often they begin.
  public static boolean awaited() {
    return awaited > 0;
  }

  /// Tells that the current thread reads nothing until [#endWait]; false if it had told before.
  public static boolean beginWait() {
    return WAITING.add(Thread.currentThread());
  }

  /// The current thread may read again.
  public static void endWait() {
    WAITING.remove(Thread.currentThread());
  }

  /// Waits until all that is being read now has been. Readers that wait themselves are not waited
  /// for, so that nobody waits in a circle; nor is what the current thread is in the middle of.
  public static void await() {
    synchronized (RawReaders.class) {
      awaited++;
    }
    boolean first = beginWait();
    try {
      readers().forEach(RawReaders::await);
    } finally {
      if (first) {
        endWait();
      }
      synchronized (RawReaders.class) {
        awaited--;
      }
    }
  }

  private static void await(Reader reader) {
    int begun = reader.begun();
    while (reader.begun() == begun) {
      Thread thread = reader.thread();
      if (thread == null || WAITING.contains(thread)) {
        return;
      }
      pause();
    }
  }

  /// Lets others run for a moment, whether the thread is interrupted or not.
  static void pause() {
    boolean interrupted = Thread.interrupted();
    LockSupport.parkNanos(POLL_NANOS);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static List<Reader> readers() {
    synchronized (READERS) {
      return new ArrayList<>(READERS);
    }
  }
}
