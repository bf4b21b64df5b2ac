package io.gatun.loaders;

/// Where a checkpoint's tensors live.
public enum LoadMode {
  /// In the file's mapping: opens in milliseconds, but the file must not be truncated meanwhile.
  MAP,
  /// In anonymous memory, read at open: safe from whatever happens to the file afterwards.
  COPY
}
