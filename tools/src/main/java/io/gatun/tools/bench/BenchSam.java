package io.gatun.tools.bench;

import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamPredictor;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tools.bench.synthetic.SyntheticSam;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.segment.SamModelOptions;
import java.lang.foreign.Arena;
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

/// `gatun bench sam`: how fast a Segment Anything model sees an image and answers prompts.
@Command(
    name = "sam",
    description =
        "Measure a Segment Anything model: encoding an image, as a share of what this machine's"
            + " matrix products reach, and decoding prompts.",
    sortOptions = false)
final class BenchSam implements Runnable {
  private static final int RUNS = 5;
  private static final int POINTS_PER_SIDE = 32;

  private final OperationTimes times = new OperationTimes();

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "A checkpoint to measure.")
  private Path model;

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description =
          "Instead of --model: random F32 weights in the shape of vit_b (the default), vit_l,"
              + " vit_h or sam2.1_hiera_tiny, written once to the cache folder.")
  private String shape;

  @Option(
      names = "--batch",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Points that are asked for together, of 32 x 32 (default: 64).")
  private int batch = 64;

  @Mixin private SamModelOptions options;

  @Mixin private FiguresOptions report;

  @Override
  public void run() {
    report.print(this::measure, BenchSam::text);
  }

  private Map<String, Object> measure() {
    Path path = path();
    var figures = new LinkedHashMap<String, Object>();
    figures.put("model", path.toString());
    figures.put("threads", options.threads());
    long start = System.nanoTime();
    try (var sam = options.load(path)) {
      figures.put("load_seconds", (System.nanoTime() - start) / 1e9);
      figures.put("image_size", sam.config().imgSize());
      figures.put("dtype", sam.functional().dtype().name());
      measure(sam, figures);
    }
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
    var synthetic = SyntheticSam.shapes().get(shape == null ? "vit_b" : shape);
    if (synthetic == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--shape is %s; need one of %s"
              .formatted(shape, String.join(", ", SyntheticSam.shapes().keySet())));
    }
    return synthetic.checkpoint();
  }

  private void measure(Sam sam, Map<String, Object> figures) {
    int side = sam.config().imgSize();
    try (var arena = Arena.ofShared()) {
      var input = Tensor.allocate(arena, DType.Plain.F32, 1, side, side, 3);
      sam.functional().observer(times);
      double first = seconds(() -> sam.encode(input, side, side).close());
      log("first image", 1, first);
      times.clear();
      var encode = new double[RUNS];
      for (int i = 0; i < RUNS; i++) {
        encode[i] = seconds(() -> sam.encode(input, side, side).close());
      }
      log("images", RUNS, Arrays.stream(encode).sum());
      var products = Roofs.products(sam.functional().dtype(), options.threads());
      double roof = products.rate();
      Arrays.sort(encode);
      double median = encode[RUNS / 2];
      long flops = sam.imageEncoder().flops();
      figures.put("encode_flop", flops);
      figures.put("encode_first_seconds", first);
      figures.put("encode_seconds", median);
      figures.put("encode_best_seconds", encode[0]);
      figures.put("gemm", products.library());
      figures.put("gemm_flop_per_second", roof);
      figures.put("encode_share_of_gemm", flops / median / roof);
      try (var image = sam.encode(input, side, side)) {
        decode(image, figures);
      }
    }
    figures.put("workspace_bytes", sam.functional().ops().workspace().byteSize());
    figures.put("anonymous_bytes", Machine.anonymousMemory());
  }

  private void decode(SamPredictor image, Map<String, Object> figures) {
    var point = List.of(Prompt.point(image.width() / 2f, image.height() / 2f));
    var seconds = new double[2 * RUNS];
    for (int i = -RUNS; i < seconds.length; i++) {
      seconds[Math.max(0, i)] = seconds(() -> image.predict(point, true));
    }
    Arrays.sort(seconds);
    figures.put("point_seconds", seconds[RUNS]);
    var points = new ArrayList<Prompt>();
    for (int i = 0; i < POINTS_PER_SIDE * POINTS_PER_SIDE; i++) {
      float x = (i % POINTS_PER_SIDE + 0.5f) / POINTS_PER_SIDE * image.width();
      float y = (i / POINTS_PER_SIDE + 0.5f) / POINTS_PER_SIDE * image.height();
      points.add(Prompt.point(x, y));
    }
    figures.put("batch", batch);
    times.clear();
    double all =
        seconds(
            () -> {
              for (int i = 0; i < points.size(); i += batch) {
                image.decode(points.subList(i, Math.min(points.size(), i + batch)), true);
              }
            });
    figures.put("points_32x32_seconds", all);
    log("points", points.size(), all);
  }

  private void log(String what, int count, double seconds) {
    Logger log = LoggerFactory.getLogger(BenchSam.class); // --debug is known by now
    if (log.isDebugEnabled()) {
      log.debug("{} {}:\n{}", count, what, times.table(seconds));
    }
  }

  private static double seconds(Runnable run) {
    long start = System.nanoTime();
    run.run();
    return (System.nanoTime() - start) / 1e9;
  }

  private static String text(Map<String, Object> f) {
    var table = new Table("lr");
    table.row(
        f.get("gemm") + " product",
        "%.0f GFLOP/s".formatted(number(f, "gemm_flop_per_second") / 1e9));
    table.row("load", "%.3f s".formatted(number(f, "load_seconds")));
    table.row(
        "encode",
        "%.3f s (best %.3f, first %.3f), %.3f TFLOP, %.2f of the product"
            .formatted(
                number(f, "encode_seconds"),
                number(f, "encode_best_seconds"),
                number(f, "encode_first_seconds"),
                number(f, "encode_flop") / 1e12,
                number(f, "encode_share_of_gemm")));
    table.row("a point", "%.1f ms".formatted(1e3 * number(f, "point_seconds")));
    table.row(
        "32 x 32 points",
        "%.2f s, %s together".formatted(number(f, "points_32x32_seconds"), f.get("batch")));
    table.row("workspace", Units.bytes((Long) f.get("workspace_bytes")));
    table.row("memory beyond files", Units.bytes((Long) f.get("anonymous_bytes")));
    return "%s, %s, %s threads%n%s"
        .formatted(f.get("model"), f.get("dtype"), f.get("threads"), table);
  }

  private static double number(Map<String, Object> figures, String key) {
    return ((Number) figures.get(key)).doubleValue();
  }
}
