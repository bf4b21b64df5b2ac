package io.gatun.tools;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The command line's entry: `gatun COMMAND ...`.
///
/// Exit codes: 0 done, 1 Gatun failed, 2 the user can mend it (bad option, missing or damaged
/// file), 130 interrupted.
@Command(
    name = "gatun",
    description = "Runs generative models on this machine's CPU.",
    subcommands = {Inspect.class, Doctor.class},
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    footer = "%nMore about a command: gatun COMMAND --help")
public final class Main implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help and exit.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version and exit.")
  private boolean version;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show what happens inside, and stack traces.")
  private boolean debug;

  public static void main(String[] args) {
    Health.warn(System.err);
    System.exit(run(args));
  }

  /// Runs one command line and returns its exit code.
  static int run(String... args) {
    var main = new Main();
    var failures = new Failures(() -> main.debug);
    return new CommandLine(main)
        .setParameterExceptionHandler(failures)
        .setExecutionExceptionHandler(failures)
        .setExecutionStrategy(main::execute)
        .execute(args);
  }

  private int execute(ParseResult parsed) {
    if (debug) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "debug");
    }
    return new RunLast().execute(parsed);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "No command is given.");
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      // The class path has no module descriptors.
      var descriptor = Main.class.getModule().getDescriptor();
      String version = descriptor == null ? "" : " " + descriptor.rawVersion().orElse("");
      return new String[] {"gatun" + version};
    }
  }
}
