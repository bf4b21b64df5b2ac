package io.gatun.loaders;

/// A checkpoint cannot be read or written: the message names the file, what was found, what was
/// needed, why, and what to do next.
public class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public CheckpointException(String message) {
    super(message);
  }

  public CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
