package io.gatun.tools.console;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;

/// Where a command reads and writes, and whether a person sits there.
///
/// @param typed whether the input is a terminal
/// @param watched whether the output is a terminal
public record Stdio(
    InputStream in, OutputStream out, OutputStream err, boolean typed, boolean watched) {

  /// Streams that no person sits at.
  public static Stdio of(InputStream in, OutputStream out, OutputStream err) {
    return new Stdio(in, out, err, false, false);
  }

  /// The process's own. The launcher says which of 0, 1 and 2 are terminals; Java itself knows only
  /// whether input and output both are.
  @SuppressWarnings("SystemConsoleNull") // it is null where there is none and JLine is not loaded
  public static Stdio ofProcess() {
    String terminals = System.getProperty("gatun.terminals");
    if (terminals == null) {
      var console = System.console();
      terminals = console != null && console.isTerminal() ? "01" : "";
    }
    return new Stdio(
        System.in,
        // System.out would keep to itself that it cannot write.
        new FileOutputStream(FileDescriptor.out),
        new FileOutputStream(FileDescriptor.err),
        terminals.contains("0"),
        terminals.contains("1"));
  }

  /// Those that a command was started with.
  public static Stdio of(CommandSpec command) {
    return Invocation.of(command).stdio();
  }

  /// Whether a person types the input and sees the output.
  public boolean isInteractive() {
    return typed && watched;
  }

  /// Writes results, byte for byte unless to a terminal; throws [OutputException] when it cannot.
  public PrintWriter results() {
    var utf8 = new OutputStreamWriter(out, StandardCharsets.UTF_8);
    return new PrintWriter(new ResultWriter(watched ? new SafeWriter(utf8) : utf8, isPipe()), true);
  }

  private boolean isPipe() {
    if (!(out instanceof FileOutputStream)) {
      return false;
    }
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
      return target.startsWith("pipe:") || target.startsWith("socket:");
    } catch (IOException e) {
      return false; // no Linux
    }
  }

  /// Writes messages, which may quote files and so are always made safe for a terminal.
  public PrintWriter messages() {
    return new PrintWriter(
        new SafeWriter(new OutputStreamWriter(err, StandardCharsets.UTF_8)), true);
  }
}
