package io.gatun.tools.bench;

import io.gatun.tensor.Shape;
import io.gatun.tensor.ops.OpObserver;
import io.gatun.tools.console.Table;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// Where the time of a network goes: its operations by name and shape.
final class OperationTimes implements OpObserver {
  private record Kind(String name, Shape input, Shape result) {}

  private static final class Sum {
    private int count;
    private long flops;
    private long nanos;
  }

  private final Map<Kind, Sum> sums = new HashMap<>();

  @Override
  public void operation(String name, Shape input, Shape result, long flops, long nanos) {
    var sum = sums.computeIfAbsent(new Kind(name, input, result), _ -> new Sum());
    sum.count++;
    sum.flops += flops;
    sum.nanos += nanos;
  }

  /// Forgets all.
  void clear() {
    sums.clear();
  }

  /// Additions and multiplications of all operations.
  long flops() {
    return sums.values().stream().mapToLong(sum -> sum.flops).sum();
  }

  /// A line for each kind of operation that takes at least a thousandth of the time, the slowest
  /// first, and one for what lies between operations.
  ///
  /// @param total seconds
  String table(double total) {
    var table = new Table("lllrrrr");
    table.row("operation", "of", "gives", "times", "ms", "share", "GFLOP/s");
    double operations = 0;
    for (var sum : sums.values()) {
      operations += sum.nanos / 1e9;
    }
    sums.entrySet().stream()
        .sorted((a, b) -> Long.compare(b.getValue().nanos, a.getValue().nanos))
        .filter(e -> e.getValue().nanos / 1e9 >= total / 1000)
        .forEach(
            e -> {
              var kind = e.getKey();
              var sum = e.getValue();
              table.row(
                  kind.name,
                  kind.input,
                  kind.result,
                  sum.count,
                  number(sum.nanos / 1e6),
                  "%.1f%%".formatted(100 * sum.nanos / 1e9 / total),
                  sum.flops == 0 ? "" : number((double) sum.flops / sum.nanos));
            });
    return table
        .row(
            "between",
            "",
            "",
            "",
            number(1e3 * (total - operations)),
            "%.1f%%".formatted(100 * (1 - operations / total)),
            "")
        .toString();
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
