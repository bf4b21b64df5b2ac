package io.gatun.tools.bench;

import io.gatun.models.TextEmbedder;
import io.gatun.tensor.DType;
import io.gatun.tools.bench.synthetic.SyntheticBert;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.RunOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun bench embed`: how many texts a text encoder reads in a second.
@Command(
    name = "embed",
    description =
        "Measure a text encoder: texts and tokens a second, tokenized and made vectors of, for"
            + " short texts (6 to 22 tokens) and usual ones (20 to 200).",
    sortOptions = false)
final class BenchEmbed implements Runnable {
  private static final int RUNS = 5;

  /// What a text of the synthetic vocabulary has beside its words.
  private static final int MARKS = 2;

  private final OperationTimes times = new OperationTimes();

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A checkpoint to measure, whose tokens are parts of the words that the texts are made"
              + " of.")
  private Path model;

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description =
          "Instead of --model: random F32 weights in the shape of bge-small (the default),"
              + " bge-base, bge-large or minilm-l6, written once to the cache folder.")
  private String shape;

  @Option(
      names = "--texts",
      paramLabel = "N",
      converter = CountConverter.class,
      defaultValue = "256",
      description = "Texts that are given at once (default: ${DEFAULT-VALUE}).")
  private int texts;

  @Option(
      names = "--warm-up",
      paramLabel = "SECONDS",
      converter = CountConverter.class,
      defaultValue = "5",
      description =
          "So long each kind of texts is read before it is measured (default: ${DEFAULT-VALUE}).")
  private int warmUp;

  @Mixin private RunOptions run;

  @Option(names = "--dtype", paramLabel = "bf16|f32", description = NetworkOptions.ABOUT_DTYPE)
  private NetworkOptions.Type dtype;

  @Mixin private FiguresOptions report;

  @Override
  public void run() {
    report.print(this::measure, BenchEmbed::text);
  }

  private Map<String, Object> measure() {
    Path path = path();
    var figures = new LinkedHashMap<String, Object>();
    figures.put("model", path.toString());
    figures.put("threads", run.threads());
    long start = System.nanoTime();
    try (var embedder =
        TextEmbedder.load(
            path,
            o -> {
              o.backend(run.backend()).threads(run.threads()).loadMode(run.load()).truncate(true);
              if (dtype != null) {
                o.dtype(dtype == NetworkOptions.Type.BF16 ? DType.Plain.BF16 : DType.Plain.F32);
              }
            })) {
      figures.put("load_seconds", (System.nanoTime() - start) / 1e9);
      figures.put("dtype", embedder.functional().dtype().name());
      var products = Roofs.products(embedder.functional().dtype(), run.threads());
      figures.put("gemm", products.library());
      figures.put("gemm_flop_per_second", products.rate());
      figures.put("texts", texts);
      measure("short", embedder, 6, 22, products.rate(), figures);
      measure("usual", embedder, 20, 200, products.rate(), figures);
      figures.put("workspace_bytes", embedder.functional().ops().workspace().byteSize());
    }
    figures.put("anonymous_bytes", Machine.anonymousMemory());
    return figures;
  }

  private Path path() {
    if (model != null) {
      if (shape != null) {
        throw new ParameterException(
            spec.commandLine(), "--model brings its own shape; leave --shape out");
      }
      return ModelNames.find(spec, model);
    }
    var synthetic = SyntheticBert.shapes().get(shape == null ? "bge-small" : shape);
    if (synthetic == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--shape is %s; need one of %s"
              .formatted(shape, String.join(", ", SyntheticBert.shapes().keySet())));
    }
    return synthetic.checkpoint();
  }

  private void measure(
      String name,
      TextEmbedder embedder,
      int least,
      int most,
      double roof,
      Map<String, Object> figures) {
    var all = texts(least, most);
    long tokens = 0;
    for (String text : all) {
      int length = embedder.tokenizer().encode(text, true, false).length;
      tokens += Math.min(length, embedder.maxTokens());
    }
    long begin = System.nanoTime();
    do {
      embedder.embed(all, null);
    } while (System.nanoTime() - begin < warmUp * 1_000_000_000L);
    var seconds = new double[RUNS];
    for (int i = 0; i < RUNS; i++) {
      long start = System.nanoTime();
      embedder.embed(all, null);
      seconds[i] = (System.nanoTime() - start) / 1e9;
    }
    Arrays.sort(seconds);
    double median = seconds[RUNS / 2];
    // Apart, as watching costs some time.
    times.clear();
    embedder.functional().observer(times);
    long start = System.nanoTime();
    embedder.embed(all, null);
    log(name, (System.nanoTime() - start) / 1e9);
    embedder.functional().observer(null);
    figures.put(name + "_tokens_per_text", (double) tokens / texts);
    figures.put(name + "_texts_per_second", texts / median);
    figures.put(name + "_best_texts_per_second", texts / seconds[0]);
    figures.put(name + "_tokens_per_second", tokens / median);
    figures.put(name + "_share_of_gemm", times.flops() / median / roof);
  }

  /// Of lengths that are spread evenly, in no order.
  private List<String> texts(int least, int most) {
    var all = new ArrayList<String>();
    for (int i = 0; i < texts; i++) {
      int words = least - MARKS + i * 7919 % (most - least + 1);
      var text = new StringBuilder();
      for (int w = 0; w < words; w++) {
        text.append(w == 0 ? "" : " ").append(SyntheticBert.word(i * 131 + w * 17));
      }
      all.add(text.toString());
    }
    return all;
  }

  private void log(String what, double seconds) {
    Logger log = LoggerFactory.getLogger(BenchEmbed.class); // --debug is known by now
    if (log.isDebugEnabled()) {
      log.debug("{} texts:\n{}", what, times.table(seconds));
    }
  }

  private static String text(Map<String, Object> f) {
    var table = new Table("lr");
    table.row(
        f.get("gemm") + " product",
        "%.0f GFLOP/s".formatted(number(f, "gemm_flop_per_second") / 1e9));
    table.row("load", "%.3f s".formatted(number(f, "load_seconds")));
    for (String name : List.of("short", "usual")) {
      table.row(
          "%s texts, %.0f tokens each".formatted(name, number(f, name + "_tokens_per_text")),
          "%.1f texts/s (best %.1f), %.0f tokens/s, %.2f of the product"
              .formatted(
                  number(f, name + "_texts_per_second"),
                  number(f, name + "_best_texts_per_second"),
                  number(f, name + "_tokens_per_second"),
                  number(f, name + "_share_of_gemm")));
    }
    table.row("workspace", Units.bytes((Long) f.get("workspace_bytes")));
    table.row("memory beyond files", Units.bytes((Long) f.get("anonymous_bytes")));
    return "%s, %s, %s threads%n%s"
        .formatted(f.get("model"), f.get("dtype"), f.get("threads"), table);
  }

  private static double number(Map<String, Object> figures, String key) {
    return ((Number) figures.get(key)).doubleValue();
  }
}
