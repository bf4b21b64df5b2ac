package io.gatun.tools.bench;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.ThreadsOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench system`: the machine's roofs.
@Command(
    name = "system",
    description =
        "Measure what this machine can do at most: memory bandwidth, matrix products, and what"
            + " sharing work among threads costs.",
    sortOptions = false)
final class BenchSystem implements Runnable {
  private static final double GIGA = 1e9;

  @Spec private CommandSpec spec;

  @Mixin private ThreadsOption threads;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  /// One line of the result.
  ///
  /// @param threads that worked
  private record Line(String what, int threads, double best, double median, String unit) {
    static Line of(String what, int threads, Roofs.Rate rate) {
      return new Line(what, threads, rate.best() / GIGA, rate.median() / GIGA, "");
    }

    Line in(String newUnit) {
      return new Line(what, threads, best, median, newUnit);
    }

    Map<String, Object> toMap() {
      var map = new LinkedHashMap<String, Object>();
      map.put("what", what);
      map.put("threads", threads);
      map.put("best", best);
      map.put("median", median);
      map.put("unit", unit);
      return map;
    }
  }

  @Override
  public void run() {
    List<Line> lines = measure(threads.count());
    var out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.of(Map.of("results", lines.stream().map(Line::toMap).toList())));
    } else {
      var table = new Table("lrrrl").row("", "threads", "best", "median", "");
      lines.forEach(l -> table.row(l.what, l.threads, figure(l.best), figure(l.median), l.unit));
      out.print(table);
    }
    out.flush();
  }

  private static List<Line> measure(int n) {
    var lines = new ArrayList<Line>();
    for (int t = 1; t < n; t *= 2) {
      lines.add(Line.of("memory read", t, Roofs.readBandwidth(t)).in("GB/s"));
    }
    lines.add(Line.of("memory read", n, Roofs.readBandwidth(n)).in("GB/s"));
    try (var roofs = new Roofs(n)) {
      if (OpenBlas.isAvailable()) {
        List<Roofs.Rate> rates = roofs.openBlas();
        lines.add(Line.of("OpenBLAS f32, our threads", n, rates.get(0)).in("GFLOP/s"));
        lines.add(Line.of("OpenBLAS f32, its threads", n, rates.get(1)).in("GFLOP/s"));
      }
      if (OneDnn.isAvailable()) {
        var f32 = roofs.oneDnn(ElementType.F32, ElementType.F32, ElementType.F32);
        lines.add(Line.of("oneDNN f32", n, f32).in("GFLOP/s"));
      }
      if (OneDnn.supports(ElementType.BF16)) {
        var bf16 = roofs.oneDnn(ElementType.BF16, ElementType.BF16, ElementType.F32);
        lines.add(Line.of("oneDNN bf16", n, bf16).in("GFLOP/s"));
      }
      if (OneDnn.supports(ElementType.S8)) {
        var int8 = roofs.oneDnn(ElementType.U8, ElementType.S8, ElementType.S32);
        lines.add(Line.of("oneDNN int8", n, int8).in("GOP/s"));
      }
      Roofs.Rate joins = roofs.joins();
      lines.add(
          new Line("sharing out and joining", n, 1e6 / joins.best(), 1e6 / joins.median(), "us"));
    }
    return lines;
  }

  private static String figure(double value) {
    return String.format(Locale.ROOT, value < 10 ? "%.2f" : "%.1f", value);
  }
}
