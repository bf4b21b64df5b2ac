package io.gatun.tools.search;

import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/// The search is a module of its own, which the launcher adds for the commands that need it.
public final class SearchModule {
  /// Lucene says by it which vector instructions it has found. Kept, since loggers are forgotten
  /// that nobody holds.
  private static final Logger LUCENE = Logger.getLogger("org.apache.lucene");

  private SearchModule() {}

  /// Has Lucene say only what is wrong.
  public static void hush() {
    LUCENE.setLevel(Level.WARNING);
  }

  /// Runs what needs the module.
  ///
  /// @throws ParameterException if it is not there
  public static int use(CommandSpec spec, Callable<Integer> command) {
    hush();
    try {
      return command.call();
    } catch (NoClassDefFoundError e) {
      throw new ParameterException(
          spec.commandLine(),
          "The search's module is not loaded. Start it with tools/gatun %s, or with --add-modules io.gatun.search."
              .formatted(spec.name()),
          e);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e); // the commands throw none
    }
  }
}
