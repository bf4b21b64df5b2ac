package io.gatun.tools.text;

import io.gatun.ffm.files.UserState;
import io.gatun.tools.console.SafeWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Attributes;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// Lines from a person at a terminal, with editing and a history that outlives the program.
final class TerminalInput implements ChatCommand.Input {
  private final Terminal terminal;
  private final LineReader reader;
  private final PrintWriter out;
  private final Attributes before;
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
    out = new PrintWriter(new SafeWriter(terminal.writer()), true);
    // What is typed while an answer comes is not echoed into it but waits for the next line.
    before = terminal.enterRawMode();
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
  public String readLine(String prompt) {
    while (true) {
      try {
        return reader.readLine(prompt);
      } catch (UserInterruptException e) {
        // Ctrl-C at the prompt clears the line.
      } catch (EndOfFileException e) {
        return null;
      }
    }
  }

  @Override
  public PrintWriter out() {
    return out;
  }

  @Override
  public void onInterrupt(Runnable action) {
    stop = action;
  }

  @Override
  public void close() {
    try {
      terminal.setAttributes(before);
      terminal.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
