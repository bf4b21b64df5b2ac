package io.gatun.tools.evaluate;

import io.gatun.models.Llm;
import io.gatun.models.Pretrained;
import io.gatun.models.evaluation.Estimate;
import io.gatun.models.evaluation.MultipleChoice;
import io.gatun.models.evaluation.TextComparison;
import io.gatun.tensor.Tensor;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.LlmRunOptions;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.TextOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun evaluate`: how good models are; without a subcommand, language models.
@Command(
    name = "evaluate",
    description = {
      "Measure how good language models are, or with a command below, others.",
      "",
      "With --file: the perplexity of a text, and how far each model is from the first: perplexity,"
          + " Kullback-Leibler divergence of the next token in nats, and how often both hold the"
          + " same token to be the most likely. With --choices: questions with several endings; acc"
          + " counts those where the right one is the likeliest, acc_norm where it is per"
          + " character, as lm-evaluation-harness has it. Behind +- are 95 %% confidence intervals,"
          + " as if tokens and questions were independent."
    },
    sortOptions = false,
    synopsisSubcommandLabel = "[COMMAND]",
    subcommands = {EvaluateSam.class, EvaluateSearch.class})
public final class Evaluate implements Runnable {
  /// The longest window that is chosen unasked.
  private static final int WINDOW = 2048;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A language model, or its name on the Hugging Face hub; give it several times to compare"
              + " the others with the first (default: tiny-llm, which comes with Gatun).")
  private List<Path> models = List.of();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "A text in UTF-8; - is standard input. It slides through windows of --context.")
  private Path file;

  @Option(
      names = "--choices",
      paramLabel = "JSONL",
      description = "Questions in HellaSwag's form: in each line ctx, endings and label.")
  private Path choices;

  @Option(
      names = "--limit",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Ask the first N questions only.")
  private int limit = Integer.MAX_VALUE;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Mixin private LlmRunOptions run;

  @Override
  public void run() {
    if (file == null && choices == null) {
      throw new ParameterException(
          spec.commandLine(),
          "What to measure is not given: --file TEXT, --choices JSONL, or both, for language"
              + " models; or the command sam");
    }
    String text = file == null ? null : TextOptions.read(file, spec);
    var questions = choices == null ? null : MultipleChoice.read(choices);
    var loaded = new ArrayList<Llm>();
    try (var ops = run.ops()) {
      try {
        for (Path path : models.isEmpty() ? List.of(Pretrained.path("tiny-llm")) : models) {
          loaded.add(run.load(ModelNames.find(spec, path), ops));
        }
        var rows = new ArrayList<Map<String, Object>>();
        loaded.forEach(llm -> rows.add(describe(llm)));
        int window = text == null ? 0 : loaded.stream().mapToInt(this::window).min().orElseThrow();
        if (text != null) {
          compare(loaded, text, window, rows);
        }
        if (questions != null) {
          ask(loaded, questions.subList(0, Math.min(limit, questions.size())), rows);
        }
        var out = spec.commandLine().getOut();
        out.print(json ? Json.of(asMap(rows, window)) + System.lineSeparator() : table(rows));
        out.flush();
      } finally {
        loaded.forEach(Llm::close);
      }
    }
  }

  private int window(Llm llm) {
    return run.context() != null ? llm.contextLimit() : Math.min(llm.contextLimit(), WINDOW);
  }

  private static Map<String, Object> describe(Llm llm) {
    var row = new LinkedHashMap<String, Object>();
    row.put("model", llm.checkpoint().path().toString());
    row.put(
        "bytes", llm.checkpoint().tensors().values().stream().mapToLong(Tensor::byteSize).sum());
    row.put(
        "bits_per_weight",
        8.0 * llm.model().bytesPerToken() / Math.max(1, llm.model().weightsPerToken()));
    return row;
  }

  private void compare(List<Llm> loaded, String text, int window, List<Map<String, Object>> rows) {
    boolean shown = Stdio.of(spec).isInteractive();
    try (var comparison = new TextComparison(loaded);
        var bar = new ProgressBar("tokens", "", 1)) {
      var figures =
          comparison.read(
              text,
              window,
              (done, all) -> {
                Interrupts.of(spec).keeps(() -> "%,d of %,d tokens were read".formatted(done, all));
                if (shown) {
                  bar.show(done, all, "");
                }
              });
      for (int i = 0; i < figures.size(); i++) {
        var f = figures.get(i);
        var row = rows.get(i);
        put(row, "perplexity", f.perplexity());
        put(row, "nll", f.nll());
        if (i > 0) {
          put(row, "perplexity_ratio", f.ratio());
          put(row, "kl_divergence", f.divergence());
          put(row, "same_top", f.agreement());
        }
        row.put("tokens", f.nll().count());
      }
    }
  }

  private void ask(
      List<Llm> loaded, List<MultipleChoice> questions, List<Map<String, Object>> rows) {
    boolean shown = Stdio.of(spec).isInteractive();
    int all = loaded.size() * questions.size();
    try (var bar = new ProgressBar("questions", "", 1)) {
      for (int i = 0; i < loaded.size(); i++) {
        int before = i * questions.size();
        var figures =
            MultipleChoice.ask(
                loaded.get(i),
                questions,
                done -> {
                  if (shown) {
                    bar.show((long) before + done, all, "");
                  }
                });
        put(rows.get(i), "acc", figures.accuracy());
        put(rows.get(i), "acc_norm", figures.normalized());
        rows.get(i).put("questions", questions.size());
      }
    }
  }

  private static void put(Map<String, Object> row, String key, Estimate estimate) {
    row.put(key, estimate.value());
    row.put(key + "_stderr", estimate.error());
  }

  private Map<String, Object> asMap(List<Map<String, Object>> rows, int window) {
    var map = new LinkedHashMap<String, Object>();
    if (file != null) {
      map.put("file", file.toString());
      map.put("window", window);
    }
    if (choices != null) {
      map.put("choices", choices.toString());
    }
    map.put("models", rows);
    return map;
  }

  private String table(List<Map<String, Object>> rows) {
    var heads = new ArrayList<Object>(List.of("model", "size", "bits"));
    if (file != null) {
      heads.addAll(List.of("perplexity", "to the first", "KL divergence", "same top token"));
    }
    if (choices != null) {
      heads.addAll(List.of("acc", "acc_norm"));
    }
    var table = new Table("l" + "r".repeat(heads.size() - 1)).row(heads.toArray());
    for (var row : rows) {
      Path path = Path.of((String) row.get("model"));
      var cells = new ArrayList<Object>();
      cells.add(path.getFileName());
      cells.add(Units.bytes((Long) row.get("bytes")));
      cells.add(String.format(Locale.ROOT, "%.2f", (Double) row.get("bits_per_weight")));
      if (file != null) {
        cells.add(cell(row, "perplexity", "%.4f +- %.2f", 1, 0));
        cells.add(cell(row, "perplexity_ratio", "%+.2f +- %.2f %%", 100, 1));
        cells.add(cell(row, "kl_divergence", "%.5f +- %.5f", 1, 0));
        cells.add(cell(row, "same_top", "%.2f +- %.2f %%", 100, 0));
      }
      if (choices != null) {
        cells.add(cell(row, "acc", "%.2f +- %.2f %%", 100, 0));
        cells.add(cell(row, "acc_norm", "%.2f +- %.2f %%", 100, 0));
      }
      table.row(cells.toArray());
    }
    return table.toString();
  }

  /// What is known of a figure, less `zero`, times `unit`.
  private static String cell(
      Map<String, Object> row, String key, String format, double unit, double zero) {
    if (!row.containsKey(key)) {
      return "";
    }
    double value = unit * ((Double) row.get(key) - zero);
    var estimate = new Estimate(value, unit * (Double) row.get(key + "_stderr"), 0);
    return String.format(Locale.ROOT, format, value, estimate.margin());
  }
}
