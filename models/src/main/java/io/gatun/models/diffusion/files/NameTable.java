package io.gatun.models.diffusion.files;

import java.util.List;
import java.util.regex.Pattern;

/// Pieces of names, and what stands for them in another layout.
record NameTable(List<Row> rows) {
  private record Row(Pattern from, String to) {}

  /// A table whose lines are a pattern and what takes the place of its first match.
  static NameTable of(String lines) {
    return new NameTable(lines.lines().map(NameTable::row).toList());
  }

  private static Row row(String line) {
    String[] columns = line.split(" +", 2);
    return new Row(Pattern.compile(columns[0]), columns[1]);
  }

  /// A name with all replacements, one after the other.
  String apply(String name) {
    String out = name;
    for (var row : rows) {
      out = row.from.matcher(out).replaceFirst(row.to);
    }
    return out;
  }
}
