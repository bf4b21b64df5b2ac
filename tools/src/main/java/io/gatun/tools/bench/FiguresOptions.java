package io.gatun.tools.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.options.CountConverter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// In how many processes a benchmark measures, and how it says what came of it.
final class FiguresOptions {
  private static final String PROCESSES = "--processes";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = PROCESSES,
      paramLabel = "N",
      converter = CountConverter.class,
      description =
          "Measure in N fresh processes, one after another, and print each figure's median and the"
              + " slowest process's.")
  private Integer processes;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  /// Measures, here or in fresh processes, and prints the figures.
  ///
  /// @param benchmark measures: figures by name, `..._per_second` and `..._share_of_...` are rates,
  ///   of which more is better
  /// @param text the figures of one process for people
  void print(Supplier<Map<String, Object>> benchmark, Function<Map<String, Object>, String> text) {
    var out = command.commandLine().getOut();
    if (processes == null) {
      var figures = benchmark.get();
      out.println(json ? Json.of(figures) : text.apply(figures));
    } else {
      out.println(measureAnew());
    }
    out.flush();
  }

  private String measureAnew() {
    if (!FreshProcess.canStart()) {
      throw new ParameterException(
          command.commandLine(),
          PROCESSES
              + " needs Gatun's launcher, by which this process was not started: tools/gatun");
    }
    var arguments = arguments();
    var err = command.commandLine().getErr();
    var values = new LinkedHashMap<String, double[]>();
    for (int i = 0; i < processes; i++) {
      long start = System.nanoTime();
      var figures =
          FreshProcess.run(
              arguments,
              ProcessBuilder.Redirect.INHERIT,
              results -> new ObjectMapper().readTree(results.readAllBytes()));
      err.printf("process %d of %d: %.1f s%n", i + 1, processes, (System.nanoTime() - start) / 1e9);
      add(figures, i, values);
    }
    var spreads = new LinkedHashMap<String, Spread>();
    values.forEach((name, v) -> spreads.put(name, Spread.of(v, isRate(name))));
    return json
        ? Json.of(Map.of("processes", processes, "command", arguments, "figures", spreads))
        : text(arguments, spreads);
  }

  /// What this process was started with, for one that measures itself.
  private List<String> arguments() {
    var arguments = new ArrayList<String>();
    var given = command.root().commandLine().getParseResult().originalArgs().iterator();
    while (given.hasNext()) {
      String argument = given.next();
      if (argument.equals(PROCESSES)) {
        given.next();
      } else if (!argument.startsWith(PROCESSES + "=") && !argument.equals("--json")) {
        arguments.add(argument);
      }
    }
    arguments.add("--json");
    return arguments;
  }

  private void add(JsonNode figures, int process, Map<String, double[]> values) {
    figures
        .properties()
        .forEach(
            figure -> {
              if (figure.getValue().isNumber()) {
                values.computeIfAbsent(figure.getKey(), _ -> new double[processes])[process] =
                    figure.getValue().asDouble();
              }
            });
  }

  private static boolean isRate(String name) {
    return name.endsWith("_per_second") || name.contains("_share_of_");
  }

  /// A figure of several processes.
  ///
  /// @param slowest of them; where it is no matter of time, the greatest
  /// @param ratio how many times slower than the median that is
  private record Spread(double median, double slowest, double ratio, double[] values) {
    static Spread of(double[] values, boolean isRate) {
      double[] sorted = values.clone();
      Arrays.sort(sorted);
      int n = sorted.length;
      double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
      double slowest = isRate ? sorted[0] : sorted[n - 1];
      return new Spread(median, slowest, isRate ? median / slowest : slowest / median, values);
    }

    boolean isConstant() {
      return Arrays.stream(values).distinct().count() == 1;
    }
  }

  private String text(List<String> arguments, Map<String, Spread> spreads) {
    var table = new Table("lrrr");
    table.row("", "median", "slowest", "ratio");
    spreads.forEach(
        (name, s) -> {
          if (processes == 1 || !s.isConstant()) {
            table.row(name, number(s.median), number(s.slowest), number(s.ratio));
          }
        });
    return "%d processes: gatun %s%n%s".formatted(processes, String.join(" ", arguments), table);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.4g", value);
  }
}
