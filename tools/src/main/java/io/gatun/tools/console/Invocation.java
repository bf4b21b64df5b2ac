package io.gatun.tools.console;

import picocli.CommandLine.Model.CommandSpec;

/// What a command line was started with. The object behind the topmost command is one.
public interface Invocation {
  Stdio stdio();

  Interrupts interrupts();

  /// That of a command.
  static Invocation of(CommandSpec command) {
    return (Invocation) command.root().userObject();
  }
}
