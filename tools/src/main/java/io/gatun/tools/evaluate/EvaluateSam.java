package io.gatun.tools.evaluate;

import io.gatun.models.Pretrained;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.coco.CocoAnnotation;
import io.gatun.models.sam.coco.CocoFile;
import io.gatun.models.sam.coco.CocoImage;
import io.gatun.models.sam.coco.PointEvaluation;
import io.gatun.models.sam.coco.PointEvaluation.Answer;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.OutputFiles;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.options.Converters;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.segment.SamModelOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun evaluate sam`: the mIoU of a Segment Anything model's masks on annotated images.
@Command(
    name = "sam",
    description = {
      "Measure a Segment Anything model's masks against annotations in COCO's format, as Segment"
          + " Anything Fast does: a point in each annotation, three masks for it, the one that the"
          + " model holds to be the best, its IoU with the annotation; the mean over annotations.",
      "",
      "Small, medium and large are COCO's: up to 32 x 32 pixels, up to 96 x 96, and above."
    },
    sortOptions = false)
final class EvaluateSam implements Runnable {
  private static final int SMALL = 32 * 32;
  private static final int MEDIUM = 96 * 96;

  /// Of sizes or categories in the table; --json has all.
  private static final int MOST_ROWS = 12;

  /// The IoU from which on a mask counts as the same.
  private static final double SAME = 0.98;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "The model (default: tiny-sam, which comes with Gatun).")
  private Path model;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      required = true,
      description = "The folder of the images that the annotations name.")
  private Path folder;

  @Option(
      names = "--annotations",
      paramLabel = "FILE",
      required = true,
      description = "Annotations in COCO's format, such as instances_val2017.json.")
  private Path annotations;

  @Option(
      names = "--limit",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Look at the first N images only, by their numbers.")
  private int limit = Integer.MAX_VALUE;

  @Option(
      names = "--batch",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Points that are decoded together (default: 16).")
  private int batch = 16;

  @Option(
      names = "--compare",
      paramLabel = "bf16|f32",
      description =
          "Load the model a second time, with activations of this type and weights that are not"
              + " quantized, and compare the masks of both.")
  private NetworkOptions.Type compare;

  @Option(
      names = "--csv",
      paramLabel = "FILE",
      description = "Write a line for each annotation: its point, the mask chosen, the IoU.")
  private Path csv;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description = "Draw how many annotations have which IoU (PNG); the red line is the mean.")
  private Path plot;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Mixin private SamModelOptions options;

  @Override
  public void run() {
    var command = spec.commandLine();
    if (!Files.isDirectory(folder)) {
      throw new ParameterException(command, "--images %s: need a folder".formatted(folder));
    }
    if (csv != null) {
      OutputFiles.checkFile(command, "--csv", csv, ".csv");
    }
    if (plot != null) {
      OutputFiles.checkFile(command, "--plot", plot, ".png");
    }
    var coco = CocoFile.read(annotations);
    Path path = model != null ? ModelNames.find(spec, model) : Pretrained.path("tiny-sam");
    try (var sam = options.load(path);
        var other = compare == null ? null : options.load(path, compare)) {
      var evaluation = new PointEvaluation(sam, other, batch);
      ask(evaluation, coco.byImage());
      var figures = figures(sam, coco, evaluation);
      if (csv != null) {
        Files.writeString(csv, csv(coco, evaluation.answers()));
      }
      if (plot != null) {
        double[] ious = evaluation.answers().stream().mapToDouble(Answer::iou).toArray();
        Histogram.of(ious).write(plot);
      }
      command.getOut().println(json ? Json.of(figures) : text(figures));
      command.getOut().flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void ask(PointEvaluation evaluation, Map<CocoImage, List<CocoAnnotation>> byImage) {
    int total = Math.min(limit, byImage.size());
    boolean shown = Stdio.of(spec).isInteractive();
    try (var bar = new ProgressBar("images", "", 1)) {
      for (var entry : byImage.entrySet()) {
        if (evaluation.images() == total) {
          return;
        }
        evaluation.add(Image.read(file(entry.getKey())), entry.getKey(), entry.getValue());
        // Now: another thread says it.
        String soFar =
            String.format(
                Locale.ROOT,
                "the mIoU of the first %d images is %.4f",
                evaluation.images(),
                evaluation.meanIou());
        Interrupts.of(spec).keeps(() -> soFar);
        if (shown) {
          bar.show(evaluation.images(), total, "");
        }
      }
    }
  }

  /// A name from the annotations stays in the folder.
  private Path file(CocoImage image) {
    Path file = folder.resolve(image.fileName()).normalize();
    if (!file.startsWith(folder.normalize())) {
      throw new IllegalArgumentException(
          "%s: the image %s is outside the folder %s"
              .formatted(annotations, image.fileName(), folder));
    }
    return file;
  }

  private Map<String, Object> figures(Sam sam, CocoFile coco, PointEvaluation e) {
    List<Answer> answers = e.answers();
    var figures = new LinkedHashMap<String, Object>();
    figures.put("model", sam.checkpoint().path().toString());
    figures.put("dtype", sam.functional().dtype().name());
    figures.put("quantize", Converters.word(options.quantization()));
    figures.put("threads", options.threads());
    figures.put("images", e.images());
    figures.put("annotations", answers.size());
    figures.put("mIoU", e.meanIou());
    figures.put("by_size", means(answers, EvaluateSam::size));
    figures.put("by_category", means(answers, a -> coco.category(a.annotation())));
    if (compare != null) {
      var agreement = answers.stream().mapToDouble(Answer::agreement).summaryStatistics();
      figures.put("compared_with", compare.name());
      figures.put("agreement", agreement.getAverage());
      figures.put("least_agreement", agreement.getMin());
      figures.put("same", answers.stream().filter(a -> a.agreement() >= SAME).count());
    }
    figures.put("encode_seconds", e.encodeSeconds());
    figures.put("decode_seconds", e.decodeSeconds());
    figures.put("images_per_second", e.images() / (e.encodeSeconds() + e.decodeSeconds()));
    figures.put("anonymous_bytes", Machine.anonymousMemory());
    return figures;
  }

  private static String size(Answer answer) {
    return answer.area() <= SMALL ? "small" : answer.area() <= MEDIUM ? "medium" : "large";
  }

  /// How many answers of each kind there are, and the mean of their IoUs.
  private static Map<String, Map<String, Object>> means(
      List<Answer> answers, Function<Answer, String> kind) {
    var statistics =
        answers.stream()
            .collect(
                Collectors.groupingBy(
                    kind, TreeMap::new, Collectors.summarizingDouble(Answer::iou)));
    var means = new LinkedHashMap<String, Map<String, Object>>();
    statistics.forEach(
        (name, s) -> means.put(name, Map.of("count", s.getCount(), "mean", s.getAverage())));
    return means;
  }

  private static String csv(CocoFile coco, List<Answer> answers) {
    var text = new StringBuilder("id,image_id,category,area,x,y,rule,chosen,score,iou,agreement\n");
    for (Answer a : answers) {
      text.append(
          String.format(
              Locale.ROOT,
              "%d,%d,\"%s\",%d,%d,%d,%s,%d,%s,%s,%s%n",
              a.annotation().id(),
              a.annotation().imageId(),
              coco.category(a.annotation()).replace("\"", "\"\""),
              a.area(),
              a.point().x(),
              a.point().y(),
              a.point().rule(),
              a.chosen(),
              a.score(),
              a.iou(),
              Double.isNaN(a.agreement()) ? "" : a.agreement()));
    }
    return text.toString();
  }

  private static String text(Map<String, Object> f) {
    var table = new Table("lrr").row("", "annotations", "mIoU");
    table.row("all", f.get("annotations"), "%.4f".formatted(number(f, "mIoU")));
    for (String by : List.of("by_size", "by_category")) {
      var means = (Map<?, ?>) f.get(by);
      if (means.size() <= MOST_ROWS) {
        means.forEach(
            (name, m) -> {
              var mean = (Map<?, ?>) m;
              table.row(name, mean.get("count"), "%.4f".formatted(number(mean, "mean")));
            });
      }
    }
    var text =
        new StringBuilder(
            "%s, %s, %s threads: %s images%n"
                .formatted(f.get("model"), kind(f), f.get("threads"), f.get("images")));
    text.append(table);
    if (f.containsKey("compared_with")) {
      text.append(
          "against %s: mean IoU %.4f, least %.4f, %s of %s masks at least %.2f%n"
              .formatted(
                  f.get("compared_with"),
                  number(f, "agreement"),
                  number(f, "least_agreement"),
                  f.get("same"),
                  f.get("annotations"),
                  SAME));
    }
    return text.append(
            "encoded in %.2f s, decoded in %.2f s: %.2f images/s; %s of memory beyond files"
                .formatted(
                    number(f, "encode_seconds"),
                    number(f, "decode_seconds"),
                    number(f, "images_per_second"),
                    Units.bytes((Long) f.get("anonymous_bytes"))))
        .toString();
  }

  /// `BF16 with int8 weights`.
  private static String kind(Map<String, Object> f) {
    return f.get("quantize").equals("none")
        ? f.get("dtype").toString()
        : f.get("dtype") + " with " + f.get("quantize") + " weights";
  }

  private static double number(Map<?, ?> figures, String key) {
    return ((Number) figures.get(key)).doubleValue();
  }
}
