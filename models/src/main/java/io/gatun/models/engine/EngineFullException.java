package io.gatun.models.engine;

/// A request is refused because as many wait as may: try again later.
public final class EngineFullException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  private final int waiting;

  EngineFullException(int waiting) {
    super(
        "%d requests wait already, as many as may; try again later, or raise EngineOptions.queue"
            .formatted(waiting));
    this.waiting = waiting;
  }

  /// The requests that wait.
  public int waiting() {
    return waiting;
  }
}
