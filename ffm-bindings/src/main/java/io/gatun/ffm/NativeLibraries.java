package io.gatun.ffm;

/// Finds and loads the native libraries.
public final class NativeLibraries {
  private NativeLibraries() {}
}
