package io.gatun.models.engine;

import io.gatun.models.sampling.TokenLogprobs;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/// An answer that an engine writes, to be read as it comes. Any thread may use it.
///
/// For a reader that is slow 256 pieces are kept; then the answer waits for it, and others do not:
/// it gives up its place to those who wait, and its memory where that is short, until half of the
/// pieces have been read. What it held is then read again, as far as the cache of prefixes has
/// forgotten it.
public final class Handle {
  private static final int BUFFERED = 256;

  private final Runnable wake;
  private final Deque<Piece> pieces = new ArrayDeque<>();
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private int[] tokens = new int[16];
  private int count;
  private List<TokenLogprobs> promptLogprobs = List.of();
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
    while (pieces.isEmpty() && !isDone()) {
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

  /// Waits until [#next] has something to return, for some time at the most: so a server can tell
  /// that its client is gone, or send it signs of life.
  ///
  /// @return whether [#next] returns at once
  /// @throws InterruptedException if the thread is interrupted; the answer goes on
  public synchronized boolean awaitNext(Duration atMost) throws InterruptedException {
    long end = System.nanoTime() + atMost.toNanos();
    while (pieces.isEmpty() && !isDone()) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      wait(left / 1_000_000, (int) (left % 1_000_000));
    }
    return true;
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

  /// How likely the tokens of the prompt were, as [Result#promptLogprobs], known when the first
  /// piece or the end has come.
  public synchronized List<TokenLogprobs> promptLogprobs() {
    return promptLogprobs;
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

  /// Whether a reader that was behind has caught up.
  synchronized boolean isDrained() {
    return pieces.size() <= BUFFERED / 2;
  }

  synchronized void judge(List<TokenLogprobs> prompt) {
    promptLogprobs = prompt;
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
            text.toString(),
            thoughts.toString(),
            Arrays.copyOf(tokens, count),
            reason,
            usage,
            promptLogprobs);
    notifyAll();
  }

  synchronized void fail(RuntimeException cause) {
    failure = cause;
    notifyAll();
  }
}
