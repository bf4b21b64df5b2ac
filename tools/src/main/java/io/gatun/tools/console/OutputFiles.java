package io.gatun.tools.console;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/// Refuses what cannot be written before minutes are spent on what was to be written there.
public final class OutputFiles {
  private OutputFiles() {}

  /// Checks a file before it is written.
  ///
  /// @param endings of which a file's name must have one; none for any name
  /// @throws ParameterException if the file cannot be written
  public static void checkFile(CommandLine command, String option, Path file, String... endings) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    if (endings.length > 0 && Stream.of(endings).noneMatch(name::endsWith)) {
      throw refusal(
          command, option, file, "need a name that ends in " + String.join(", ", endings));
    }
    if (Files.isDirectory(file)) {
      throw refusal(command, option, file, "it is a directory; need a file");
    }
    checkFolderOf(command, option, file);
    if (Files.exists(file) && !Files.isWritable(file)) {
      throw refusal(command, option, file, "it may not be written to");
    }
  }

  /// Checks the folder of a file that is to be written.
  ///
  /// @throws ParameterException if there is no folder to put it in
  public static void checkFolderOf(CommandLine command, String option, Path file) {
    Path folder = file.toAbsolutePath().normalize().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw refusal(command, option, file, "there is no folder " + folder);
    }
    if (!Files.isWritable(folder)) {
      throw refusal(command, option, file, "the folder " + folder + " may not be written to");
    }
  }

  private static ParameterException refusal(
      CommandLine command, String option, Path file, String why) {
    return new ParameterException(command, "%s %s: %s".formatted(option, file, why));
  }
}
