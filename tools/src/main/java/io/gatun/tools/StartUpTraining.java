package io.gatun.tools;

import io.gatun.models.Llm;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.machine.Health;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/// What the launcher runs once to record the classes that starting takes in an archive.
final class StartUpTraining {
  private StartUpTraining() {}

  public static void main(String[] args) throws IOException {
    Health.warn(System.err);
    new Interrupts(new PrintWriter(System.err, false, StandardCharsets.UTF_8)).listen();
    String model = System.getProperty("gatun.home") + "/models/pretrained/tiny-llm";
    String sam = System.getProperty("gatun.home") + "/models/pretrained/tiny-sam";
    Path folder = Files.createTempDirectory("gatun-training");
    try {
      var _ = Llm.warmUp();
      String tiled = folder.resolve("int4").toString();
      run("--version");
      run("--help");
      run("inspect", model);
      run("inspect", "--json", model);
      run("generate", "--max-tokens=8");
      run("quantize", "--model", model, "--out", tiled);
      run("generate", "--model", tiled, "--prompt", "KING RICHARD", "--max-tokens", "8");
      String mask = folder.resolve("mask.png").toString();
      run("segment", "--image", sam + "/scene0.png", "--point", "159,139", "--json");
      run("segment", "--image", sam + "/scene0.png", "--point", "159,139", "--overlay", mask);
      run("imagine", "a red circle", "--steps", "4", "--out", folder.resolve("a.png").toString());
    } finally {
      try (var files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static void run(String... command) {
    if (Main.run(Stdio.ofProcess(), command) != 0) {
      throw new IllegalStateException("failed: gatun " + String.join(" ", command));
    }
  }
}
