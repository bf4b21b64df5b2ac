package io.gatun.tools.models;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Units;
import io.gatun.tools.options.ThreadsOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/// Where a rewritten model goes, and the writing of it.
final class RewriteOptions {
  @Option(
      names = {"-o", "--out"},
      paramLabel = "PATH",
      required = true,
      description = "The file or directory to write; it can be given as --model then.")
  private Path out;

  @Option(names = "--force", description = "Write over what is there already.")
  private boolean force;

  @Mixin private ThreadsOption threads;

  /// Where it goes.
  Path out() {
    return out;
  }

  int threads() {
    return threads.count();
  }

  /// Writes the model with a progress bar, then says what came of it.
  void write(Checkpoint from, Rewrite rewrite, CommandLine command) {
    var err = command.getErr();
    long before = from.tensors().values().stream().mapToLong(Tensor::byteSize).sum();
    long after = rewrite.bytes();
    long start = System.nanoTime();
    Interrupts.of(command.getCommandSpec()).keeps(() -> out + " is not written");
    try (var workers = new Workers(threads.count())) {
      if (Stdio.of(command.getCommandSpec()).isInteractive()) {
        String name = out.getFileName().toString();
        try (var bar = new ProgressBar(name, " MB", 1e6)) {
          rewrite.write(out, workers, bytes -> bar.add(bytes, after));
        }
      } else {
        rewrite.write(out, workers, bytes -> {});
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    rewrite.notes().forEach(err::println);
    command
        .getOut()
        .println(
            String.format(
                Locale.ROOT,
                "%s: %s, was %s (%.2f of it); %d matrices rewritten in %.1f s",
                out,
                Units.bytes(after),
                Units.bytes(before),
                (double) after / before,
                rewrite.converted(),
                seconds));
    command.getOut().flush();
  }

  /// Refuses what cannot be written, before anything is read.
  void check(CommandLine command) {
    OutputFiles.checkFolderOf(command, "--out", out);
    if (!force && Files.exists(out) && !isEmptyDirectory()) {
      throw new ParameterException(
          command,
          out + " is there already; choose another --out, or add --force to write over it");
    }
  }

  private boolean isEmptyDirectory() {
    if (!Files.isDirectory(out)) {
      return false;
    }
    AtomicFile.removeAbandoned(out);
    try (var files = Files.list(out)) {
      return files.findAny().isEmpty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
