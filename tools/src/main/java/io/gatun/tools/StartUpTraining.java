package io.gatun.tools;

import java.util.List;

/// What the launcher runs once to record the classes that starting takes in an AOT cache.
final class StartUpTraining {
  private StartUpTraining() {}

  public static void main(String[] args) {
    Health.warn(System.err);
    String model = System.getProperty("gatun.home") + "/models/pretrained/tiny-llm";
    String sam = System.getProperty("gatun.home") + "/models/pretrained/tiny-sam";
    var commands =
        List.of(
            List.of("--version"),
            List.of("--help"),
            List.of("inspect", model),
            List.of("inspect", "--json", model),
            List.of("generate", "--max-tokens", "8"),
            List.of("segment", "--image", sam + "/scene0.png", "--point", "159,139", "--json"));
    for (List<String> command : commands) {
      int code = Main.run(command.toArray(String[]::new));
      if (code != 0) {
        System.exit(code);
      }
    }
  }
}
