package io.gatun.tools.console;

import java.io.FilterWriter;
import java.io.IOException;
import java.io.Writer;

/// Throws, once, what a [java.io.PrintWriter] on top of it would keep to itself.
final class ResultWriter extends FilterWriter {
  private final boolean isPipe;
  private boolean failed;

  /// @param isPipe whether what it writes to is a pipe, where that can be told
  ResultWriter(Writer to, boolean isPipe) {
    super(to);
    this.isPipe = isPipe;
  }

  @Override
  public void write(int c) {
    write(new char[] {(char) c}, 0, 1);
  }

  @Override
  public void write(String text, int start, int length) {
    write(text.toCharArray(), start, length);
  }

  @Override
  public void write(char[] text, int start, int length) {
    if (!failed) {
      try {
        out.write(text, start, length);
      } catch (IOException e) {
        fail(e);
      }
    }
  }

  @Override
  public void flush() {
    if (!failed) {
      try {
        out.flush();
      } catch (IOException e) {
        fail(e);
      }
    }
  }

  private void fail(IOException e) {
    failed = true;
    throw new OutputException(e, isPipe);
  }
}
