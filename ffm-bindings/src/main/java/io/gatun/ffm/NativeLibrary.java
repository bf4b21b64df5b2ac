package io.gatun.ffm;

import java.nio.file.Path;

/// What became of one native library.
///
/// @param name `OpenBLAS` or `oneDNN`
/// @param version as the library itself reports it; empty where it is not loaded
/// @param path the file that was loaded; null where none was
/// @param core what the library runs on: OpenBLAS's kernel set (`SkylakeX`), oneDNN's instruction
///   set (`AVX512_CORE_BF16`); empty where it is not loaded
/// @param problem why it is not loaded; empty where it is
public record NativeLibrary(String name, String version, Path path, String core, String problem) {
  static NativeLibrary missing(String name, String problem) {
    return new NativeLibrary(name, "", null, "", problem);
  }

  /// Whether calls into it work.
  public boolean isLoaded() {
    return problem.isEmpty();
  }
}
