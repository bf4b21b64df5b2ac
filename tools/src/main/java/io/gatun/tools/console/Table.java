package io.gatun.tools.console;

import java.util.ArrayList;
import java.util.List;

/// Rows of text in aligned columns.
public final class Table {
  private final boolean[] right;
  private final List<String[]> rows = new ArrayList<>();

  /// @param alignment one letter for each column: `l` for left, `r` for right
  public Table(String alignment) {
    right = new boolean[alignment.length()];
    for (int i = 0; i < right.length; i++) {
      right[i] = alignment.charAt(i) == 'r';
    }
  }

  public Table row(Object... cells) {
    var row = new String[right.length];
    for (int i = 0; i < row.length; i++) {
      row[i] = printable(String.valueOf(cells[i]));
    }
    rows.add(row);
    return this;
  }

  /// The rows, each ended by a line feed, two spaces between columns.
  @Override
  public String toString() {
    var widths = new int[right.length];
    for (String[] row : rows) {
      for (int i = 0; i < row.length; i++) {
        widths[i] = Math.max(widths[i], row[i].codePointCount(0, row[i].length()));
      }
    }
    var text = new StringBuilder();
    for (String[] row : rows) {
      var line = new StringBuilder();
      for (int i = 0; i < row.length; i++) {
        String gap = " ".repeat(widths[i] - row[i].codePointCount(0, row[i].length()));
        line.append(i == 0 ? "" : "  ");
        line.append(right[i] ? gap + row[i] : row[i] + gap);
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  /// Names come from files, which must not send commands to the terminal.
  private static String printable(String cell) {
    var text = new StringBuilder();
    cell.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                  if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
                    text.append("\\u%04x".formatted(c));
                  } else {
                    text.appendCodePoint(c);
                  }
                }
              }
            });
    return text.toString();
  }
}
