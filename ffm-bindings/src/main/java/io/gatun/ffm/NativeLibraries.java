package io.gatun.ffm;

import io.gatun.ffm.omp.Omp;
import io.gatun.ffm.onednn.Dnnl;
import io.gatun.ffm.onednn.dnnl_version_t;
import io.gatun.ffm.openblas.Cblas;
import io.gatun.ffm.posix.Posix;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Finds and loads OpenBLAS and oneDNN, each when it is first asked for.
///
/// The files come from the native jars on the class path, unpacked once into the user's cache
/// (`-Dgatun.cache=FOLDER` puts it elsewhere). `-Dgatun.openblas=FILE` and `-Dgatun.onednn=FILE`
/// load another build instead; the value `none` does without the library. A library that is missing
/// or broken is warned of once and everything else goes on; a wrong override is an error.
public final class NativeLibraries {
  private static final Logger LOG = LoggerFactory.getLogger(NativeLibraries.class);

  private static NativeLibrary openBlas;
  private static NativeLibrary oneDnn;
  // Whether oneDNN's threads are OpenMP's, whose number each calling thread sets for itself.
  private static volatile boolean openMp;

  private NativeLibraries() {}

  /// Loads what is not loaded yet, and tells what was found.
  ///
  /// @throws IllegalArgumentException if an override names a file that is not such a library
  public static List<NativeLibrary> report() {
    List<NativeLibrary> libraries = List.of(openBlas(), oneDnn());
    libraries.forEach(NativeLibraries::isUsable);
    return libraries;
  }

  /// Keeps oneDNN from starting threads of its own when it is called from the current thread: its
  /// team is this thread alone. Every call through [OneDnn] sees to that by itself; a worker that
  /// calls this at its start has it done before it is timed.
  public static void initThread() {
    if (openMp) {
      Omp.omp_set_num_threads(1);
    }
  }

  static synchronized NativeLibrary openBlas() {
    if (openBlas == null) {
      // Else OpenBLAS starts a thread for each core when it is loaded, and never uses them.
      setEnvironment("OPENBLAS_NUM_THREADS", "1");
      openBlas = load("OpenBLAS", "openblas", Platform.current().openBlasFiles(), "cblas_sgemm");
      if (openBlas.isLoaded()) {
        Cblas.openblas_set_num_threads(1);
        // "OpenBLAS 0.3.31 DYNAMIC_ARCH ..."
        String[] config = Cblas.openblas_get_config().getString(0).split(" ", 3);
        openBlas = describe(openBlas, config[1], Cblas.openblas_get_corename().getString(0));
      }
    }
    return openBlas;
  }

  static synchronized NativeLibrary oneDnn() {
    if (oneDnn == null) {
      oneDnn = load("oneDNN", "onednn", Platform.current().oneDnnFiles(), "dnnl_primitive_execute");
      if (oneDnn.isLoaded()) {
        openMp = SymbolLookup.loaderLookup().find("omp_set_num_threads").isPresent();
        var version = dnnl_version_t.reinterpret(Dnnl.dnnl_version(), Arena.global(), null);
        int major = dnnl_version_t.major(version);
        if (major != Dnnl.DNNL_VERSION_MAJOR()) {
          oneDnn =
              broken(
                  "oneDNN",
                  "onednn",
                  "%s is version %d; need version %d"
                      .formatted(oneDnn.path(), major, Dnnl.DNNL_VERSION_MAJOR()));
        } else {
          String number =
              "%d.%d.%d"
                  .formatted(major, dnnl_version_t.minor(version), dnnl_version_t.patch(version));
          oneDnn = describe(oneDnn, number, CpuIsa.effective().name());
        }
      }
    }
    return oneDnn;
  }

  private static NativeLibrary describe(NativeLibrary library, String version, String core) {
    LOG.debug("{} {} ({}) from {}", library.name(), version, core, library.path());
    return new NativeLibrary(library.name(), version, library.path(), core, "");
  }

  /// Loads the override or the bundled files, and makes sure that `symbol` is then there.
  private static NativeLibrary load(
      String name, String property, List<String> files, String symbol) {
    String override = System.getProperty("gatun." + property);
    if ("none".equals(override)) {
      return NativeLibrary.missing(name, "switched off by -Dgatun." + property + "=none");
    }
    Path path = null;
    try {
      if (override != null) {
        path = Path.of(override).toAbsolutePath();
        if (!Files.isRegularFile(path)) {
          throw new IOException("there is no such file");
        }
        System.load(path.toString());
      } else if (files.isEmpty()) {
        throw new IOException("no build of it comes with Gatun for " + Platform.current());
      } else {
        String jar = property.equals("onednn") ? "dnnl" : property;
        String folder = "org/bytedeco/" + jar + "/" + Platform.current() + "/";
        for (Path file : NativeFiles.unpack(folder, files, property)) {
          path = file;
          System.load(file.toString());
        }
      }
      if (SymbolLookup.loaderLookup().find(symbol).isEmpty()) {
        throw new IOException(path + " has no function " + symbol);
      }
      return new NativeLibrary(name, "", path, "", "");
    } catch (IOException | UnsatisfiedLinkError e) {
      return broken(name, property, String.valueOf(e.getMessage()));
    }
  }

  private static NativeLibrary broken(String name, String property, String problem) {
    String override = System.getProperty("gatun." + property);
    if (override == null) {
      LOG.warn("{} is not available, so some things will be slower: {}", name, problem);
      return NativeLibrary.missing(name, problem);
    }
    return NativeLibrary.missing(
        name,
        "-Dgatun.%s=%s is not a usable %s library: %s. %s"
            .formatted(
                property,
                override,
                name,
                problem,
                "Name the file of a shared library, or leave the option out."));
  }

  /// Whether the library is loaded.
  ///
  /// @throws IllegalArgumentException if an override names a file that is not such a library
  static boolean isUsable(NativeLibrary library) {
    // "switched off by -D..." is no error.
    if (!library.isLoaded() && library.problem().startsWith("-Dgatun.")) {
      throw new IllegalArgumentException(library.problem());
    }
    return library.isLoaded();
  }

  private static void setEnvironment(String name, String value) {
    if (Platform.current().os().equals("windows")) {
      return;
    }
    try (var arena = Arena.ofConfined()) {
      int _ = Posix.setenv(arena.allocateFrom(name), arena.allocateFrom(value), 1);
    }
  }
}
