package io.gatun.tensor.runtime;

import io.gatun.ffm.raw.RawReaders;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// A fixed team of threads that shares the rows of one operation at a time.
///
/// The calling thread is worker 0. The others spin for a moment after an operation, since the next
/// one mostly follows within microseconds, and then park. One thread at a time may call [#forEach],
/// as [#owner] sees to; a task can neither call it again nor close the team.
public final class Workers implements AutoCloseable {
  /// A share of an operation.
  @FunctionalInterface
  public interface Task {
    /// Handles the items `from` (inclusive) to `to` (exclusive).
    ///
    /// @param worker 0 .. threads-1: no two calls with the same number run at once, so it may
    ///   select scratch memory
    void run(int worker, long from, long to);
  }

  /// Beyond any machine's cores: each thread takes memory, and time to start.
  public static final int MAX_THREADS = 4096;

  /// A chunk is a thread's share of what is left, divided by this.
  private static final long CHUNKS = 2;

  private static final long SPIN_NANOS = 100_000;
  private static final int SPINS_PER_CLOCK = 64;
  private static final int SPINS_BEFORE_YIELD = 1 << 10;
  private static final int CLOSED = Integer.MIN_VALUE;
  private static final VarHandle EPOCH;

  static {
    try {
      EPOCH = MethodHandles.lookup().findVarHandle(Workers.class, "epoch", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Owner owner;
  private final Thread[] helpers;
  private final RawReaders.Reader reader = new Reader();
  private final AtomicLong next = new AtomicLong();

  /// How many helpers are at the operation, and [#CLOSED] more when no other may join.
  private final AtomicInteger joined = new AtomicInteger(CLOSED);

  private final AtomicInteger parked = new AtomicInteger();

  // The operation at hand: written before it is opened for helpers, read by those that have joined.
  private Task task;
  private long items;
  private long itemsPerGrain;
  private volatile Throwable failure;
  private volatile int epoch;
  private volatile boolean ended;

  /// What this team reads is what its owner's thread does.
  private final class Reader implements RawReaders.Reader {
    @Override
    public void checkOutside() {
      Workers.this.checkOutside();
    }

    @Override
    public int begun() {
      return owner.begun();
    }

    @Override
    public Thread thread() {
      return owner.thread();
    }
  }

  /// A team of `threads`, the caller included.
  ///
  /// @throws IllegalArgumentException if `threads` is less than 1, or more than [#MAX_THREADS]
  public Workers(int threads) {
    this(threads, new Owner("team of threads"));
  }

  /// A team of `threads`, the caller included, that `owner` gives to one thread at a time.
  ///
  /// @throws IllegalArgumentException if `threads` is less than 1, or more than [#MAX_THREADS]
  public Workers(int threads, Owner owner) {
    this.owner = owner;
    helpers = new Thread[checkThreads(threads) - 1];
    for (int i = 0; i < helpers.length; i++) {
      int worker = i + 1;
      helpers[i] =
          Thread.ofPlatform().daemon().name("gatun-" + worker).unstarted(() -> help(worker));
    }
    try {
      for (Thread helper : helpers) {
        helper.start();
      }
    } catch (OutOfMemoryError e) { // the system gives no more threads
      end();
      throw e;
    }
    RawReaders.add(reader);
  }

  /// The number of threads of a team, checked.
  ///
  /// @throws IllegalArgumentException if it is less than 1, or more than [#MAX_THREADS]
  public static int checkThreads(int threads) {
    if (threads < 1 || threads > MAX_THREADS) {
      throw new IllegalArgumentException(
          "threads is %d; need 1 to %d".formatted(threads, MAX_THREADS));
    }
    return threads;
  }

  /// The threads that suit this machine: its physical cores, as far as they can be told.
  public static int defaultThreads() {
    return Math.max(1, PhysicalCores.count());
  }

  public int threads() {
    return helpers.length + 1;
  }

  /// Whose turn it is to use the team and all that is computed on it: hold a turn around several
  /// calls that belong together.
  public Owner owner() {
    return owner;
  }

  /// Runs `task` over the items 0 .. n-1 on all threads and returns when all are done. Threads take
  /// chunks of a multiple of `grain` items as they get free, ever smaller ones: long runs, which
  /// memory delivers fastest, at first, and little to wait for in the end.
  ///
  /// @throws RuntimeException what a task threw, on the calling thread
  /// @throws IllegalStateException if the team is closed, another thread uses it, or a task calls
  public void forEach(long n, long grain, Task t) {
    try (var _ = owner.claim()) {
      if (task != null) {
        throw new IllegalStateException("a task cannot share out work itself");
      }
      if (n > 0) {
        task = t;
        try {
          share(n, grain);
        } finally {
          task = null;
        }
      }
    }
  }

  @SuppressWarnings("ThreadPriorityCheck") // yielding costs nothing but time that was lost anyway
  private void share(long n, long grain) {
    long grains = Math.ceilDiv(n, grain);
    if (helpers.length == 0 || grains == 1) {
      task.run(0, 0, n);
      return;
    }
    items = n;
    itemsPerGrain = grain;
    failure = null;
    next.setPlain(0);
    joined.set(0);
    EPOCH.setVolatile(this, epoch + 1);
    if (parked.get() > 0) {
      for (Thread helper : helpers) {
        LockSupport.unpark(helper);
      }
    }
    work(0);
    // All is taken by now: who still sleeps, or waits for a core, is not waited for.
    joined.getAndAdd(CLOSED);
    for (int spins = 0; joined.getAcquire() != CLOSED; spins++) {
      if (spins < SPINS_BEFORE_YIELD) {
        Thread.onSpinWait();
      } else {
        Thread.yield(); // where others compute too, a helper may need this very core
      }
    }
    if (failure != null) {
      rethrow(failure);
    }
  }

  private void work(int worker) {
    try {
      long from = next.get();
      while (from < items) {
        long to = chunkEnd(from);
        long seen = next.compareAndExchange(from, to);
        if (seen == from) {
          task.run(worker, from, to);
          seen = next.get();
        }
        from = seen;
      }
    } catch (Throwable e) {
      failure = e;
      next.set(items);
    }
  }

  /// The end of the chunk that begins at `from`, whoever takes it and when, so that results do not
  /// depend on timing.
  private long chunkEnd(long from) {
    long grains = (items - from) / itemsPerGrain / (CHUNKS * threads());
    return Math.min(items, from + Math.max(1, grains) * itemsPerGrain);
  }

  private void help(int worker) {
    int seen = 0;
    while (true) {
      seen = await(seen);
      if (ended) {
        return;
      }
      if (join()) {
        work(worker);
        joined.getAndAdd(-1);
      }
    }
  }

  /// Whether there is an operation that this helper takes part in from now on.
  private boolean join() {
    int others = joined.get();
    while (others >= 0) {
      int now = joined.compareAndExchange(others, others + 1);
      if (now == others) {
        return true;
      }
      others = now;
    }
    return false;
  }

  /// Waits until the epoch is no longer `seen`, spinning first, and returns it.
  private int await(int seen) {
    long deadline = System.nanoTime() + SPIN_NANOS;
    do {
      for (int i = 0; i < SPINS_PER_CLOCK; i++) {
        if (epoch != seen) {
          return epoch;
        }
        Thread.onSpinWait();
      }
    } while (System.nanoTime() < deadline);
    parked.incrementAndGet();
    while (epoch == seen) {
      LockSupport.park(this);
    }
    parked.decrementAndGet();
    return epoch;
  }

  private static void rethrow(Throwable t) {
    switch (t) {
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(t);
    }
  }

  /// Waits for an operation that is running, and ends the threads.
  ///
  /// @throws IllegalStateException if a task calls it
  @Override
  public void close() {
    checkOutside();
    owner.close(this::end);
  }

  /// Makes sure that no task calls.
  ///
  /// @throws IllegalStateException if a task calls it: what it would wait for waits for it
  public void checkOutside() {
    boolean inTask =
        owner.isInside() ? task != null : List.of(helpers).contains(Thread.currentThread());
    if (inTask) {
      throw new IllegalStateException(
          "a task cannot close what it computes with, which would wait for the task");
    }
  }

  /// Ends the threads, which must be idle: what [#close] does in the end, for an owner of more than
  /// the team.
  public void end() {
    ended = true;
    EPOCH.setVolatile(this, epoch + 1);
    boolean interrupted = false;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
      while (helper.isAlive()) {
        try {
          helper.join();
        } catch (InterruptedException e) {
          interrupted = true; // their memory is freed next, so they must be gone
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
