package io.gatun.models.constraint;

/// A schema, grammar or pattern that cannot be used, or a vocabulary that cannot spell what it asks
/// for: where, what was found, and what to do.
public final class ConstraintException extends IllegalArgumentException {
  private static final long serialVersionUID = 1;

  public ConstraintException(String message) {
    super(message);
  }

  public ConstraintException(String message, Throwable cause) {
    super(message, cause);
  }
}
