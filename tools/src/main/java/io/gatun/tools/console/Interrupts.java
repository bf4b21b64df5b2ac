package io.gatun.tools.console;

import java.io.PrintWriter;
import java.util.Map;
import java.util.function.Supplier;
import org.jline.utils.Signals;
import picocli.CommandLine.Model.CommandSpec;

/// Ctrl-C, and the signal that asks a process to end: a command that can stop in good order does;
/// any other ends at once. Either way a line says what is kept.
public final class Interrupts {
  /// The exit code of each signal.
  private static final Map<String, Integer> CODES = Map.of("INT", 130, "TERM", 143);

  private final PrintWriter err;
  private volatile int code;
  private volatile Runnable stop;
  private volatile Supplier<String> kept = () -> "";

  public Interrupts(PrintWriter err) {
    this.err = err;
  }

  /// Those of the command line that a command is part of.
  public static Interrupts of(CommandSpec command) {
    return Invocation.of(command).interrupts();
  }

  /// From now on the process's signals come here, or a moment later: to say so takes a hundredth of
  /// a second, of another thread.
  public void listen() {
    Thread.ofPlatform()
        .name("gatun-signals")
        .daemon()
        .start(
            () -> CODES.keySet().forEach(signal -> Signals.register(signal, () -> raise(signal))));
  }

  private void raise(String signal) {
    boolean again = code != 0;
    code = CODES.get(signal);
    err.println();
    Runnable orderly = stop;
    if (orderly != null && !again) {
      orderly.run();
    } else {
      String said = kept.get();
      if (!said.isEmpty()) {
        err.println("gatun: stopped; " + said);
      }
      err.flush();
      System.exit(code);
    }
  }

  /// The exit code of a command that was stopped.
  public int code() {
    return code == 0 ? CODES.get("INT") : code;
  }

  /// Has `action` called, once, instead of ending the process; a second signal ends it.
  public void stopBy(Runnable action) {
    stop = action;
  }

  /// What to say to a user who wonders what is left of the work, when asked.
  public void keeps(Supplier<String> said) {
    kept = said;
  }
}
