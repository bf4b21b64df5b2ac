package io.gatun.models.image;

/// An image file cannot be read or written: the message names the file, what was found, what was
/// needed, and what to do next.
public final class ImageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public ImageException(String message) {
    super(message);
  }

  public ImageException(String message, Throwable cause) {
    super(message, cause);
  }
}
