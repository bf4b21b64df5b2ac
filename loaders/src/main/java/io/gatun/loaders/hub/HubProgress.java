package io.gatun.loaders.hub;

/// Who is told how far a download is; from several threads.
public interface HubProgress {
  /// Files are about to be fetched.
  ///
  /// @param name the model's
  /// @param files how many files there are
  /// @param bytes what they have together
  /// @param there how much of it is there already
  default void begin(String name, int files, long bytes, long there) {}

  /// So many more bytes are there; fewer, if a file had to begin again.
  default void advance(long bytes) {}

  /// Something that a person wants to know, such as that a server asks to wait.
  default void note(String line) {}
}
