package io.gatun.tools.console;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.image.ImageException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/// Says on stderr what went wrong, in one paragraph, and gives the exit code: 2 for what the user
/// can mend, 1 for our own failures. A stack trace appears only with `--debug`.
public final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
  private static final int OURS = 1;
  private static final int THE_USERS = 2;
  private static final int CLOSED_PIPE = 141; // as the shell says of SIGPIPE

  /// Options that were called otherwise, or are in other commands.
  private static final Map<String, String> RENAMED =
      Map.of(
          "segment -p", "--point X,Y",
          "imagine -n", "--batch N",
          "tokenize -t", "-p or --prompt TEXT",
          "tokenize --text", "-p or --prompt TEXT",
          "llm --prompt", "--prompt-tokens N");

  private static final int LONGEST = 4096;

  private final BooleanSupplier debug;

  public Failures(BooleanSupplier debug) {
    this.debug = debug;
  }

  @Override
  public int handleParseException(ParameterException e, String[] args) {
    PrintWriter err = e.getCommandLine().getErr();
    String command = e.getCommandLine().getCommandSpec().qualifiedName();
    err.println(command + ": " + brief(sentence(message(e))));
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("See: " + command + " --help");
    return THE_USERS;
  }

  private static String message(ParameterException e) {
    return switch (e) {
      case UnmatchedArgumentException unmatched -> unmatched(unmatched);
      case MissingParameterException missing -> missing(missing);
      default -> e.getMessage();
    };
  }

  private static String unmatched(UnmatchedArgumentException e) {
    CommandLine command = e.getCommandLine();
    String word = e.getUnmatched().getFirst();
    String option = word.replaceFirst("=.*", "");
    String now = RENAMED.get(command.getCommandName() + " " + option);
    if (now != null) {
      return "There is no " + option + " here; use " + now;
    }
    if (e.isUnknownOption()) {
      return "Unknown option: '" + word + "'";
    }
    if (!command.getSubcommands().isEmpty()) {
      return "There is no command '" + word + "'";
    }
    boolean text = command.getCommandSpec().findOption("--prompt") != null;
    return text
        ? "'" + word + "' is a word too many; a text of several words needs quotes: --prompt '...'"
        : "'" + word + "' is a word too many";
  }

  private static String missing(MissingParameterException e) {
    String names =
        e.getMissing().stream()
            .map(
                arg ->
                    arg instanceof OptionSpec o
                        ? o.longestName() + " " + o.paramLabel()
                        : arg.paramLabel())
            .collect(Collectors.joining(", "));
    if (e.getMessage().startsWith("Missing required")
        && !e.getMessage().startsWith("Missing required parameter for option")) {
      return names + " is missing";
    }
    return e.getMessage().contains("but found")
        ? "%s needs a value. One that begins with a hyphen is written as %s=VALUE"
            .formatted(names, names.replaceFirst(" .*", ""))
        : names + " needs a value";
  }

  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
    if (cause instanceof ParameterException p) {
      return handleParseException(p, new String[0]);
    }
    if (cause instanceof OutputException failed) {
      return report(failed, command.getErr());
    }
    command.getOut().flush();
    PrintWriter err = command.getErr();
    String said = forTheUser(cause);
    if (said != null) {
      err.println(command.getCommandSpec().qualifiedName() + ": " + brief(said));
    } else {
      err.println("gatun: internal error: " + brief(cause.toString()));
      err.println("Please report this, with what the same command prints with --debug added.");
    }
    if (debug.getAsBoolean()) {
      cause.printStackTrace(err);
    }
    return said != null ? THE_USERS : OURS;
  }

  /// Says that results could not be written, unless nobody reads them.
  public static int report(OutputException e, PrintWriter err) {
    if (e.isClosedPipe()) {
      return CLOSED_PIPE;
    }
    err.println("gatun: the output cannot be written: " + e.getCause().getMessage());
    return OURS;
  }

  /// What to tell the user, or null if the failure is ours.
  private static String forTheUser(Throwable cause) {
    return switch (cause) {
      case CheckpointException e -> e.getMessage();
      case ImageException e -> e.getMessage();
      case IllegalArgumentException e when e.getMessage() != null -> sentence(e.getMessage());
      case UncheckedIOException e -> file(e.getCause());
      case IOException e -> file(e);
      case OutOfMemoryError e ->
          "out of memory (%s). Close other programs, choose a smaller model or context, or, if it is the Java heap, raise it with GATUN_JAVA_OPTS=-Xmx1g."
              .formatted(e.getMessage());
      default -> null;
    };
  }

  public static String file(IOException cause) {
    return switch (cause) {
      case NoSuchFileException e -> e.getFile() + ": there is no such file.";
      case AccessDeniedException e -> e.getFile() + ": permission denied.";
      case FileAlreadyExistsException e -> e.getFile() + ": is there already.";
      case NotDirectoryException e -> e.getFile() + ": is not a directory.";
      case FileSystemException e when e.getFile() != null -> e.getFile() + ": " + e.getReason();
      default -> cause.getMessage();
    };
  }

  /// What quotes a file may be of any length.
  private static String brief(String message) {
    return message.length() <= LONGEST
        ? message
        : "%s... (%d characters)".formatted(message.substring(0, LONGEST), message.length());
  }

  private static String sentence(String message) {
    return message.endsWith(".") ? message : message + ".";
  }
}
