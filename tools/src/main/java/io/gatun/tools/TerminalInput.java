package io.gatun.tools;

import io.gatun.ffm.files.UserState;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Lines from a person at a terminal, with editing and a history that outlives the program.
final class TerminalInput implements ChatCommand.Input {
  private final Terminal terminal;
  private final LineReader reader;
  private volatile Runnable stop = () -> {};

  private TerminalInput(Terminal terminal) {
    this.terminal = terminal;
    var builder =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .appName("gatun")
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true);
    try {
      builder.variable(LineReader.HISTORY_FILE, UserState.chatHistory());
    } catch (IOException e) {
      terminal.writer().println("What you write is not remembered: " + e.getMessage());
    }
    reader = builder.build();
    terminal.handle(Terminal.Signal.INT, signal -> stop.run());
  }

  static TerminalInput open() {
    try {
      // By stty: the other providers are native code of their own.
      return new TerminalInput(
          TerminalBuilder.builder().name("gatun").system(true).provider("exec").build());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String readLine() {
    while (true) {
      try {
        return reader.readLine("> ");
      } catch (UserInterruptException e) {
        // Ctrl-C at the prompt clears the line.
      } catch (EndOfFileException e) {
        return null;
      }
    }
  }

  @Override
  public PrintWriter out() {
    return terminal.writer();
  }

  @Override
  public void onInterrupt(Runnable action) {
    stop = action;
  }

  @Override
  public void close() {
    try {
      terminal.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
