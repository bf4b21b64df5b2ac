package io.gatun.models.engine;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/// An answer that an engine writes, to be read as it comes. Any thread may use it.
///
/// So many pieces are kept for a reader that is slow; then the answer waits for it, and others do
/// not.
public final class Handle {
  private static final int BUFFERED = 256;

  private final Runnable wake;
  private final Deque<Piece> pieces = new ArrayDeque<>();
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private int[] tokens = new int[16];
  private int count;
  private Result result;
  private RuntimeException failure;
  private volatile boolean cancelled;

  Handle(Runnable wake) {
    this.wake = wake;
  }

  /// The next piece, which is waited for; null after the last.
  ///
  /// @throws RuntimeException what made the answer fail, after the pieces before it
  /// @throws InterruptedException if the thread is interrupted; the answer goes on
  public synchronized Piece next() throws InterruptedException {
    while (pieces.isEmpty() && result == null && failure == null) {
      wait();
    }
    var piece = pieces.poll();
    if (piece != null) {
      if (pieces.size() == BUFFERED / 2) {
        wake.run();
      }
      return piece;
    }
    if (failure != null) {
      throw failure;
    }
    return null;
  }

  /// Waits for the end, passing over the pieces that have not been read.
  ///
  /// @throws RuntimeException what made the answer fail
  /// @throws InterruptedException if the thread is interrupted; the answer goes on
  public Result await() throws InterruptedException {
    while (next() != null) {}
    synchronized (this) {
      return result;
    }
  }

  /// Whether nothing more is written: it has ended, or failed.
  public synchronized boolean isDone() {
    return result != null || failure != null;
  }

  /// Ends the answer within a step, whether it is being written or waits. One that has ended stays
  /// as it is.
  public void cancel() {
    cancelled = true;
    wake.run();
  }

  boolean isCancelled() {
    return cancelled;
  }

  /// Whether the reader is so far behind that nothing should be written.
  synchronized boolean isFull() {
    return pieces.size() >= BUFFERED;
  }

  synchronized void add(Piece piece) {
    if (piece.token() >= 0) {
      if (count == tokens.length) {
        tokens = Arrays.copyOf(tokens, 2 * count);
      }
      tokens[count++] = piece.token();
    }
    text.append(piece.text());
    thoughts.append(piece.thought());
    pieces.add(piece);
    notifyAll();
  }

  synchronized void end(Result.Reason reason, Result.Usage usage) {
    result =
        new Result(
            text.toString(), thoughts.toString(), Arrays.copyOf(tokens, count), reason, usage);
    notifyAll();
  }

  synchronized void fail(RuntimeException cause) {
    failure = cause;
    notifyAll();
  }
}
