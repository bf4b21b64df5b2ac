package io.gatun.ffm;

import java.util.List;
import java.util.Locale;

/// The machine as the native jars name it, with the files to load there in dependency order.
///
/// @param os `linux`, `macosx`, `windows`, or something that has no native jars
/// @param arch `x86_64`, `arm64`, or something that has no native jars
record Platform(String os, String arch) {
  private static final Platform CURRENT =
      new Platform(os(System.getProperty("os.name")), arch(System.getProperty("os.arch")));

  static Platform current() {
    return CURRENT;
  }

  /// The files of `org.bytedeco:openblas`, the library itself last; empty for an unknown platform.
  List<String> openBlasFiles() {
    return switch (toString()) {
      case "linux-x86_64" ->
          List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0");
      case "linux-arm64" -> List.of("libgcc_s.so.1", "libgfortran.so.5", "libopenblas.so.0");
      case "macosx-arm64" ->
          List.of(
              "libgcc_s.1.1.dylib",
              "libquadmath.0.dylib",
              "libgfortran.5.dylib",
              "libopenblas.0.dylib");
      case "windows-x86_64" -> List.of("libopenblas.dll");
      default -> List.of();
    };
  }

  /// The files of `org.bytedeco:dnnl`, the library itself last; empty for an unknown platform.
  List<String> oneDnnFiles() {
    return switch (toString()) {
      case "linux-x86_64", "linux-arm64" -> List.of("libgomp.so.1", "libdnnl.so.3");
      case "macosx-arm64" -> List.of("libomp.dylib", "libdnnl.3.dylib");
      case "windows-x86_64" -> List.of("dnnl.dll");
      default -> List.of();
    };
  }

  /// The classifier of the native jars: `linux-x86_64`.
  @Override
  public String toString() {
    return os + "-" + arch;
  }

  private static String os(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (lower.startsWith("mac")) {
      return "macosx";
    }
    return lower.startsWith("windows") ? "windows" : lower;
  }

  private static String arch(String name) {
    return switch (name) {
      case "amd64", "x86_64" -> "x86_64";
      case "aarch64", "arm64" -> "arm64";
      default -> name;
    };
  }
}
