package io.gatun.models;

import io.gatun.loaders.CheckpointException;

/// A model needs more memory than is free.
public final class DoesNotFitException extends CheckpointException {
  private static final long serialVersionUID = 1;

  private final String shortage;

  DoesNotFitException(String shortage) {
    super(
        shortage
            + ". With --force (in Java, force(true)) it runs all the same, as slowly as the disk"
            + " is");
    this.shortage = shortage;
  }

  /// What is needed, what is there, and what would fit.
  public String shortage() {
    return shortage;
  }
}
