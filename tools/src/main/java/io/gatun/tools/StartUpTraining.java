package io.gatun.tools;

import java.util.List;

/// What the launcher runs once to record the classes that starting takes in an AOT cache.
final class StartUpTraining {
  private StartUpTraining() {}

  public static void main(String[] args) {
    for (List<String> command : List.of(List.of("--version"), List.of("--help"))) {
      int code = Main.run(command.toArray(String[]::new));
      if (code != 0) {
        System.exit(code);
      }
    }
  }
}
