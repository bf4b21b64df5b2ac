package io.gatun.tools;

/// Whether a person is there.
final class Terminals {
  private Terminals() {}

  /// Whether input and output are a terminal.
  @SuppressWarnings("SystemConsoleNull") // it is null where there is none and JLine is not loaded
  static boolean isInteractive() {
    var console = System.console();
    return console != null && console.isTerminal();
  }
}
