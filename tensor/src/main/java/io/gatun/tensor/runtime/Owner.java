package io.gatun.tensor.runtime;

import io.gatun.ffm.raw.RawReaders;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Lets one thread at a time use what cannot be shared: a model's threads and memory, or the cache
/// of a conversation.
///
/// Whole calls of a model take a [turn][#turn]: they wait for each other, first come, first served.
/// Whoever calls single operations [claims][#claim] for as long as each lasts, and is refused if
/// another thread is inside. Both may be nested on one thread, cost a few nanoseconds, and allocate
/// nothing.
///
/// Owners may [share][#sharing] what they own: then uses of all of them keep each other out, and
/// each is closed by itself.
///
/// Closing needs no turn: it refuses whatever begins from then on, so that a long call ends at its
/// next operation, and waits for that. Once closed, turns and claims throw an
/// [IllegalStateException], `the model is closed`.
public final class Owner {
  /// A use that ends when it is closed, by the thread that began it: `try (var _ = owner.turn())`.
  @FunctionalInterface
  public interface Use extends AutoCloseable {
    @Override
    void close();
  }

  /// Who is inside, for all owners that share.
  @SuppressWarnings("serial") // nobody writes it to a stream
  private static final class Lock extends ReentrantLock {
    private final Condition returned = newCondition();
    // Whose callback runs within its turn.
    private volatile Thread away;
    private volatile int begun;
    private int turns;

    Lock() {
      super(true);
    }

    @Override
    protected Thread getOwner() {
      return super.getOwner();
    }
  }

  private final String what;
  private final Owner base;
  private final Lock lock;
  private final Use claim = this::leave;
  private final Use turn = this::endTurn;
  private volatile boolean closed;
  private boolean freed;

  /// @param what is used, for messages: `model`
  public Owner(String what) {
    this(what, null, new Lock());
  }

  private Owner(String what, Owner base, Lock lock) {
    this.what = what;
    this.base = base;
    this.lock = lock;
  }

  /// Another owner of the same: whose uses and those of this one keep each other out, and which is
  /// closed with this one, or before it by itself.
  public Owner sharing() {
    return new Owner(what, this, lock);
  }

  /// Waits until no other thread is inside, and keeps others out until the turn is closed. Within
  /// it an interrupt ends what runs at its next operation.
  ///
  /// @throws IllegalStateException if it is closed, also while waiting
  /// @throws CancellationException if the thread is interrupted, which it then still is
  public Use turn() {
    checkOpen();
    try {
      if (!lock.tryLock(0, TimeUnit.SECONDS)) { // as the lock is fair, so is this
        waiting(lock::lockInterruptibly);
      }
      try {
        if (!isClosed() && isAway()) {
          waiting(this::awaitReturn);
        }
      } catch (InterruptedException e) {
        lock.unlock();
        throw e;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw interrupted();
    }
    begin();
    lock.turns++;
    return turn;
  }

  /// Waits for the lock, whether interrupted or not.
  private void lock() {
    boolean first = RawReaders.beginWait();
    lock.lock();
    if (first) {
      RawReaders.endWait();
    }
  }

  @FunctionalInterface
  private interface Wait {
    void await() throws InterruptedException;
  }

  /// Waits; meanwhile nobody need wait for this thread.
  private static void waiting(Wait wait) throws InterruptedException {
    boolean first = RawReaders.beginWait();
    try {
      wait.await();
    } finally {
      if (first) {
        RawReaders.endWait();
      }
    }
  }

  private void awaitReturn() throws InterruptedException {
    while (!isClosed() && isAway()) {
      lock.returned.await();
    }
  }

  /// Keeps other threads out until the claim is closed.
  ///
  /// @throws IllegalStateException at once if it is closed, or another thread is inside
  public Use claim() {
    if (lock.away == Thread.currentThread()) {
      lock(); // others may hold it for a moment, to see that they have to wait
    } else if (!lock.tryLock() || leaveIfAway()) {
      checkOpen();
      throw new IllegalStateException(
          "another thread is using the %s. Use it from one thread at a time, or through what waits for its turn, such as sessions"
              .formatted(what));
    }
    begin();
    return claim;
  }

  /// As [#claim], at the beginning of an operation.
  ///
  /// @throws CancellationException within a turn, if the thread is interrupted, which it then still
  ///   is
  public Use operation() {
    var use = claim();
    if (RawReaders.awaited()) {
      count();
    }
    if (lock.turns > 0 && Thread.currentThread().isInterrupted()) {
      use.close();
      throw interrupted();
    }
    return use;
  }

  /// Runs code of the caller's within a turn. Others go on waiting, but the thread is not inside
  /// meanwhile: closing need not wait for it. So the code may do what it likes, also close or use
  /// what is owned here.
  public void callback(Runnable code) {
    int holds = lock.getHoldCount();
    if (holds == 0) {
      code.run();
      return;
    }
    Thread before = lock.away;
    lock.away = Thread.currentThread();
    for (int i = 0; i < holds; i++) {
      lock.unlock();
    }
    try {
      code.run();
    } finally {
      for (int i = 0; i < holds; i++) {
        lock();
      }
      lock.away = before;
      lock.returned.signalAll();
    }
  }

  /// Refuses all further use, waits for what is running, and runs `free`, once and for all: closing
  /// a second time only waits for the first.
  ///
  /// On a thread that is inside itself, such as in an observer of operations, it does not wait for
  /// that: what the thread is in the middle of gets an exception at its next operation.
  public void close(Runnable free) {
    closed = true;
    lock();
    try {
      lock.returned.signalAll();
      if (!freed) {
        freed = true;
        free.run();
      }
    } finally {
      lock.unlock();
    }
  }

  public boolean isClosed() {
    return closed || base != null && base.isClosed();
  }

  /// Makes sure that it is open.
  ///
  /// @throws IllegalStateException if it is closed
  public void checkOpen() {
    if (isClosed()) {
      throw new IllegalStateException("the %s is closed".formatted(what));
    }
  }

  /// How often a use or an operation began while someone waited for those before.
  int begun() {
    return lock.begun;
  }

  /// The thread that is inside, or null.
  Thread thread() {
    return lock.getOwner();
  }

  /// Whether the current thread is inside.
  boolean isInside() {
    return lock.isHeldByCurrentThread();
  }

  /// @throws IllegalStateException if the current thread is not inside
  void checkInside() {
    if (!isInside()) {
      throw new IllegalStateException(
          "another thread began this use of the %s, and must end it".formatted(what));
    }
  }

  private boolean isAway() {
    return lock.away != null && lock.away != Thread.currentThread();
  }

  private boolean leaveIfAway() {
    if (isAway()) {
      lock.unlock();
      return true;
    }
    return false;
  }

  /// Refuses what begins with the lock taken if it is closed.
  private void begin() {
    if (isClosed()) {
      lock.unlock();
      checkOpen();
    }
    if (RawReaders.awaited() && lock.getHoldCount() == 1) {
      count();
    }
  }

  /// Tells those who wait that what began before has ended: the thread is between operations.
  @SuppressWarnings("NonAtomicVolatileUpdate") // the lock is held
  private void count() {
    lock.begun++;
  }

  private CancellationException interrupted() {
    return new CancellationException("interrupted");
  }

  private void endTurn() {
    checkInside();
    lock.turns--;
    lock.unlock();
  }

  private void leave() {
    checkInside();
    lock.unlock();
  }
}
