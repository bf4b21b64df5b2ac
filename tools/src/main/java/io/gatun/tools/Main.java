package io.gatun.tools;

import io.gatun.models.Llm;
import io.gatun.models.sam.Sam;
import io.gatun.tools.bench.Bench;
import io.gatun.tools.console.Failures;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Invocation;
import io.gatun.tools.console.OutputException;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.evaluate.Evaluate;
import io.gatun.tools.evaluate.MeasurePerplexity;
import io.gatun.tools.imagine.Imagine;
import io.gatun.tools.imagine.Upscale;
import io.gatun.tools.machine.Health;
import io.gatun.tools.models.Cache;
import io.gatun.tools.models.Inspect;
import io.gatun.tools.models.ListModels;
import io.gatun.tools.models.Pack;
import io.gatun.tools.models.Pull;
import io.gatun.tools.models.Quantize;
import io.gatun.tools.models.Remove;
import io.gatun.tools.options.Converters;
import io.gatun.tools.options.ModelPath;
import io.gatun.tools.search.Ask;
import io.gatun.tools.search.IndexCommand;
import io.gatun.tools.search.SearchImages;
import io.gatun.tools.segment.AnnotationOptions;
import io.gatun.tools.segment.EverythingOptions;
import io.gatun.tools.segment.Segment;
import io.gatun.tools.segment.Track;
import io.gatun.tools.text.ChatCommand;
import io.gatun.tools.text.Embed;
import io.gatun.tools.text.Generate;
import io.gatun.tools.text.Rank;
import io.gatun.tools.text.Tokenize;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.Help.Ansi;
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
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    footer = "%nMore about a command: gatun COMMAND --help")
public final class Main implements Runnable, Invocation {
  private static final List<String> VERSION = List.of("-V", "--version");

  /// Commands that know all others.
  private static final List<String> OF_ALL = List.of("completion", "help");

  /// In the order of the help.
  private static final Map<String, Class<?>> COMMANDS = new LinkedHashMap<>();

  /// Commands that a language model answers.
  private static final List<String> OF_LLM = List.of("generate", "chat", "serve");

  /// Commands that find masks.
  private static final List<String> OF_SAM = List.of("segment", "track");

  static {
    COMMANDS.put("chat", ChatCommand.class);
    COMMANDS.put("generate", Generate.class);
    COMMANDS.put("embed", Embed.class);
    COMMANDS.put("rank", Rank.class);
    COMMANDS.put("index", IndexCommand.class);
    COMMANDS.put("ask", Ask.class);
    COMMANDS.put("search-images", SearchImages.class);
    COMMANDS.put("segment", Segment.class);
    COMMANDS.put("track", Track.class);
    COMMANDS.put("imagine", Imagine.class);
    COMMANDS.put("upscale", Upscale.class);
    COMMANDS.put("serve", Serve.class);
    COMMANDS.put("pull", Pull.class);
    COMMANDS.put("list", ListModels.class);
    COMMANDS.put("rm", Remove.class);
    COMMANDS.put("quantize", Quantize.class);
    COMMANDS.put("pack", Pack.class);
    COMMANDS.put("cache", Cache.class);
    COMMANDS.put("tokenize", Tokenize.class);
    COMMANDS.put("perplexity", MeasurePerplexity.class);
    COMMANDS.put("evaluate", Evaluate.class);
    COMMANDS.put("jshell", JShell.class);
    COMMANDS.put("spark", SparkJob.class);
    COMMANDS.put("inspect", Inspect.class);
    COMMANDS.put("doctor", Doctor.class);
    COMMANDS.put("bench", Bench.class);
    COMMANDS.put("completion", Completion.class);
    COMMANDS.put("help", Help.class);
  }

  private final Stdio stdio;
  private final boolean listens;
  private final PrintWriter err;
  private final Interrupts interrupts;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help and exit.")
  @SuppressWarnings("unused") // picocli reads it
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version and exit.")
  @SuppressWarnings("unused") // picocli reads it
  private boolean version;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show what happens inside, and stack traces.")
  private boolean debug;

  /// @param listens whether the process's signals are this command's
  private Main(Stdio stdio, boolean listens) {
    this.stdio = stdio;
    this.listens = listens;
    err = stdio.messages();
    interrupts = new Interrupts(err);
  }

  public static void main(String[] args) {
    // Numbers have a point, whatever the user's language: other programs read them, too.
    Locale.setDefault(Locale.Category.FORMAT, Locale.ROOT);
    Health.warn(System.err);
    beginWarmUp(args);
    System.exit(new Main(Stdio.ofProcess(), true).run(args));
  }

  /// Reading the command line takes a while that the kernels' compilation need not wait for, except
  /// if that is to be logged, which only the command line says.
  private static void beginWarmUp(String... args) {
    if (args.length == 0 || List.of(args).contains("--debug")) {
      return;
    }
    boolean ofLlm = OF_LLM.contains(args[0]);
    if (!ofLlm && !OF_SAM.contains(args[0])) {
      return;
    }
    // It makes a table when it is first used, as by who reads a model's files.
    Thread.ofPlatform().daemon().start(() -> Objects.requireNonNull(BigDecimal.TWO));
    if (ofLlm) {
      String model = ModelPath.guess(args);
      var _ = model == null ? Llm.warmUp() : Llm.warmUp(model);
    } else {
      var _ = Sam.warmUp();
    }
  }

  /// Runs one command line that has nothing to read, and returns its exit code.
  public static int run(OutputStream out, OutputStream err, String... args) {
    return run(Stdio.of(InputStream.nullInputStream(), out, err), args);
  }

  /// Runs one command line and returns its exit code.
  public static int run(Stdio stdio, String... args) {
    return new Main(stdio, false).run(args);
  }

  private int run(String... args) {
    var failures = new Failures(() -> debug);
    // Results may quote files, which must not colour a terminal; so nothing is coloured.
    var commands =
        new CommandLine(this).setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF));
    // Building the model of a command takes milliseconds: only those that are needed.
    String first = args.length == 0 ? "" : args[0];
    COMMANDS.forEach(
        (name, type) -> {
          boolean needed =
              COMMANDS.containsKey(first) && !OF_ALL.contains(first)
                  ? name.equals(first)
                  : !VERSION.contains(first);
          if (needed) {
            commands.addSubcommand(name, type);
          }
        });
    Converters.register(commands);
    Converters.choice(commands, Ask.SearchMode.class);
    Converters.choice(commands, Completion.Shell.class);
    Converters.choice(commands, EverythingOptions.OutputMode.class);
    Converters.choice(commands, AnnotationOptions.Format.class);
    PrintWriter out = stdio.results();
    try {
      int code =
          commands
              .setOverwrittenOptionsAllowed(true)
              .setOut(out)
              .setErr(err)
              .setParameterExceptionHandler(failures)
              .setExecutionExceptionHandler(failures)
              .setExecutionStrategy(this::execute)
              .execute(args);
      out.flush();
      return code;
    } catch (OutputException e) {
      return Failures.report(e, err);
    } finally {
      err.flush();
    }
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  @Override
  public Stdio stdio() {
    return stdio;
  }

  private int execute(ParseResult parsed) {
    if (debug) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "debug");
    }
    if (listens && !parsed.isVersionHelpRequested()) {
      interrupts.listen();
    }
    try {
      return new RunLast().execute(parsed);
    } catch (OutputException e) {
      return Failures.report(e, err);
    } catch (Error e) { // picocli hands only exceptions to its handlers
      throw new ExecutionException(spec.commandLine(), e.toString(), e);
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "No command is given.");
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {("gatun " + number()).strip()};
    }

    /// Empty where there is no jar, whose manifest has it.
    static String number() {
      return Objects.requireNonNullElse(Main.class.getPackage().getImplementationVersion(), "");
    }
  }
}
