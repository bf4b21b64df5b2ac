package io.gatun.server.models;

import io.gatun.server.http.ApiException;
import io.gatun.server.http.Call;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpStatus;

/// What a network for images computes, step by step, on a thread of its own: a virtual one that
/// computes would let no other have its turn. It ends when the client goes away, its time is over,
/// or this is closed.
public final class Work<S, T> implements AutoCloseable {
  /// What comes next: a step, or the result or failure at the end.
  private record Event<S, T>(S step, T result, Throwable failure) {}

  private final BlockingQueue<Event<S, T>> events = new LinkedBlockingQueue<>();
  private final long deadline;
  private final Thread thread;
  private T result;

  /// Begins.
  ///
  /// @param timeout the longest that it may take
  /// @param compute is given what takes its steps
  public Work(Call call, Duration timeout, Function<Consumer<S>, T> compute) {
    deadline = System.nanoTime() + timeout.toNanos();
    thread =
        Thread.ofPlatform()
            .name("gatun-images")
            .daemon()
            .start(
                () -> {
                  try {
                    T made = compute.apply(step -> events.add(new Event<>(step, null, null)));
                    events.add(new Event<>(null, made, null));
                  } catch (Throwable e) {
                    events.add(new Event<>(null, null, e));
                  }
                });
    call.onDisconnect(thread::interrupt);
  }

  /// The next step; null at the end.
  ///
  /// @throws IOException if the client is gone
  /// @throws ApiException if it took too long
  public S next() throws IOException, InterruptedException {
    var event = events.poll(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
    if (event == null) {
      throw ApiException.of(
          HttpStatus.GATEWAY_TIMEOUT_504,
          "timeout",
          "it took longer than this server's limit; ask for less");
    }
    switch (event.failure) {
      case null -> {}
      case CancellationException e -> throw new IOException("the client is gone", e);
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new IllegalStateException(event.failure);
    }
    result = event.result;
    return event.step;
  }

  /// The result, after all steps.
  public T result() throws IOException, InterruptedException {
    while (result == null) {
      next();
    }
    return result;
  }

  /// Ends the work if it is not done, and waits for that: what it computes with may be closed then.
  @Override
  public void close() {
    thread.interrupt();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
