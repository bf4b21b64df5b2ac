package io.gatun.tools.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.Fit;
import io.gatun.models.StableDiffusion;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun inspect`: what is in a checkpoint.
@Command(
    name = "inspect",
    description = "Say what a model is and needs, and list its files, metadata and tensors.",
    sortOptions = false)
public final class Inspect implements Runnable {
  private static final int SHOWN_ITEMS = 5;
  private static final int SHOWN_CHARACTERS = 100;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "PATH",
      description =
          "A .safetensors, .gguf, .pth, .pt or .bin file, a directory with a model or a"
              + " text-to-image pipeline in it, or the name of a model that comes with Gatun or is"
              + " on the Hugging Face hub (ORG/MODEL:Q4_K_M).")
  private Path path;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "The same as PATH.")
  private Path model;

  @Option(
      names = "--tensors",
      paramLabel = "REGEX",
      description = "List and count only the tensors in whose names this is found.")
  private Pattern tensors = Pattern.compile("");

  @Option(
      names = "--fit",
      description =
          "Say only whether the model fits into the free memory, with what would, and how fast a"
              + " language model may write; memory is read for a second to measure its rate.")
  private boolean fit;

  @Option(
      names = {"-c", "--context"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "With --fit: the context to plan with (default: 4096, or the model's limit).")
  private Integer context;

  @Option(
      names = "--kv",
      paramLabel = "f16|bf16|f32|int8",
      defaultValue = "f16",
      description = "With --fit: type of the key/value cache (default: ${DEFAULT-VALUE}).")
  private DType.Plain kv;

  @Option(names = "--json", description = "Print JSON, with the metadata in full.")
  private boolean json;

  /// What tensors amount to.
  private static final class Sum {
    long tensors;
    long parameters;
    long bytes;

    void add(Tensor t) {
      tensors++;
      parameters += t.size();
      bytes += t.byteSize();
    }

    Map<String, Object> toMap() {
      var map = new LinkedHashMap<String, Object>();
      map.put("tensors", tensors);
      map.put("parameters", parameters);
      map.put("bytes", bytes);
      return map;
    }
  }

  @Override
  public void run() {
    if ((path == null) == (model == null)) {
      throw new ParameterException(
          spec.commandLine(), "Name one checkpoint, as in: gatun inspect model.gguf");
    }
    Path found = ModelNames.find(spec, path != null ? path : model);
    var out = spec.commandLine().getOut();
    if (fit) {
      fit(found, out);
    } else if (Files.exists(found.resolve("model_index.json"))) {
      inspectPipeline(found, out);
    } else {
      inspect(found, out);
    }
    out.flush();
  }

  private void fit(Path found, PrintWriter out) {
    var needs = Fit.of(found, StableDiffusion.PACKING_BUDGET);
    double bandwidth = 0;
    if (!Files.exists(found.resolve("model_index.json"))) {
      try (var checkpoint = Checkpoint.open(found)) {
        needs = Fit.of(checkpoint, Architectures.outline(checkpoint), kv);
        bandwidth =
            needs.free() < 2 * Roofs.READ_BYTES
                ? 0
                : Roofs.readBandwidth(Workers.defaultThreads()).median();
      } catch (CheckpointException | IllegalArgumentException e) {
        needs = Fit.of(found, isEncoder(found) ? 0 : Long.MAX_VALUE);
      }
    }
    if (json) {
      out.println(Json.of(FitReport.toMap(needs, context, bandwidth)));
    } else {
      out.print(FitReport.asTable(needs, context, bandwidth));
    }
  }

  private static boolean isEncoder(Path found) {
    try (var checkpoint = Checkpoint.open(found)) {
      return EncoderSummary.of(checkpoint) != null;
    } catch (CheckpointException | IllegalArgumentException e) {
      return false;
    }
  }

  private void inspect(Path file, PrintWriter out) {
    long start = System.nanoTime();
    try (var checkpoint = Checkpoint.open(file)) {
      double millis = (System.nanoTime() - start) / 1e6;
      var chosen = new LinkedHashMap<String, Tensor>();
      var all = new Sum();
      var byType = new TreeMap<String, Sum>();
      checkpoint
          .tensors()
          .forEach(
              (name, tensor) -> {
                if (tensors.matcher(name).find()) {
                  chosen.put(name, tensor);
                  all.add(tensor);
                  byType.computeIfAbsent(tensor.dtype().name(), n -> new Sum()).add(tensor);
                }
              });
      out.print(
          json
              ? Json.of(asMap(checkpoint, chosen, all, byType)) + "\n"
              : ModelSummary.of(checkpoint).asTable()
                  + "\n"
                  + asText(checkpoint, chosen, all, byType)
                  + String.format(Locale.ROOT, "%nopened in %.1f ms%n", millis));
    }
  }

  /// A pipeline is its parts, each a checkpoint that can be inspected.
  private void inspectPipeline(Path folder, PrintWriter out) {
    var all = new Sum();
    var parts = new ArrayList<Map<String, Object>>();
    var table = new Table("llrrl").row("part", "weights", "parameters", "bytes", "see");
    for (Path part : foldersIn(folder)) {
      try (var checkpoint = Checkpoint.open(part)) {
        var sum = new Sum();
        checkpoint.tensors().values().forEach(sum::add);
        checkpoint.tensors().values().forEach(all::add);
        var summary = ModelSummary.of(checkpoint);
        table.row(
            part.getFileName(),
            summary.weightType(),
            grouped(sum.parameters),
            grouped(sum.bytes),
            "gatun inspect " + part);
        var map = new LinkedHashMap<String, Object>();
        map.put("part", part.getFileName().toString());
        map.put("path", part.toString());
        map.put("weight_type", summary.weightType());
        map.putAll(sum.toMap());
        parts.add(map);
      } catch (CheckpointException e) {
        table.row(part.getFileName(), "none", "", "", ""); // a tokenizer, a scheduler
      }
    }
    if (json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("path", folder.toString());
      map.put("parts", parts);
      map.put("totals", all.toMap());
      out.println(Json.of(map));
    } else {
      out.print(new Table("ll").row("family", ModelSummary.pipeline(folder)));
      out.printf("%n%s%n", table);
      out.printf("%s parameters, %s%n", Units.count(all.parameters), Units.bytes(all.bytes));
    }
  }

  private static List<Path> foldersIn(Path folder) {
    try (var files = Files.list(folder)) {
      return files.filter(Files::isDirectory).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, Object> asMap(
      Checkpoint checkpoint, Map<String, Tensor> tensors, Sum all, Map<String, Sum> byType) {
    var map = new LinkedHashMap<String, Object>();
    map.put("path", checkpoint.path().toString());
    map.put("summary", ModelSummary.of(checkpoint).toMap());
    map.put("format", checkpoint.format().toString());
    map.put("files", checkpoint.parts().stream().map(Inspect::fileMap).toList());
    map.put("metadata", checkpoint.metadata());
    var list = new ArrayList<Object>();
    tensors.forEach((name, tensor) -> list.add(tensorMap(checkpoint, name, tensor)));
    map.put("tensors", list);
    map.put("totals", all.toMap());
    var types = new LinkedHashMap<String, Object>();
    byType.forEach((type, sum) -> types.put(type, sum.toMap()));
    map.put("types", types);
    return map;
  }

  private static Map<String, Object> fileMap(Checkpoint.Part part) {
    var map = new LinkedHashMap<String, Object>();
    map.put("path", part.path().toString());
    map.put("version", part.version());
    map.put("bytes", part.bytes());
    map.put("tensors", part.tensors());
    map.put("alignment", part.alignment());
    return map;
  }

  private static Map<String, Object> tensorMap(Checkpoint checkpoint, String name, Tensor tensor) {
    var map = new LinkedHashMap<String, Object>();
    map.put("name", name);
    map.put("dtype", tensor.dtype().name());
    map.put("shape", tensor.shape().dims());
    map.put("bytes", tensor.byteSize());
    map.put("file", checkpoint.file(name).getFileName().toString());
    return map;
  }

  private static String asText(
      Checkpoint checkpoint, Map<String, Tensor> tensors, Sum all, Map<String, Sum> byType) {
    var text = new StringBuilder();
    var files = new Table("llrl");
    for (var part : checkpoint.parts()) {
      files.row(
          part.path(),
          part.version(),
          Units.bytes(part.bytes()),
          "tensors aligned to %d bytes".formatted(part.alignment()));
    }
    text.append(files);
    if (!checkpoint.metadata().isEmpty()) {
      var metadata = new Table("ll");
      checkpoint.metadata().forEach((key, value) -> metadata.row(key, brief(value)));
      text.append('\n').append(metadata);
    }
    var list = new Table("lllr");
    list.row("tensor", "dtype", "shape", "bytes");
    tensors.forEach(
        (name, t) -> list.row(name, t.dtype().name(), t.shape(), grouped(t.byteSize())));
    text.append('\n').append(list);
    var totals = new Table("lrrr");
    totals.row("dtype", "tensors", "parameters", "bytes");
    byType.forEach((type, sum) -> total(totals, type, sum));
    total(totals, "all", all);
    text.append('\n').append(totals);
    text.append(
        "\n%s parameters, %s\n".formatted(Units.count(all.parameters), Units.bytes(all.bytes)));
    return text.toString();
  }

  private static void total(Table totals, String name, Sum sum) {
    totals.row(name, sum.tensors, grouped(sum.parameters), grouped(sum.bytes));
  }

  private static String grouped(long n) {
    return String.format(Locale.ROOT, "%,d", n);
  }

  /// A value in one line; of a long list the start and the length.
  private static String brief(Object value) {
    return switch (value) {
      case List<?> list -> {
        var shown = new ArrayList<String>();
        list.stream().limit(SHOWN_ITEMS).forEach(item -> shown.add(brief(item)));
        yield list.size() <= SHOWN_ITEMS
            ? shown.toString()
            : "[%s, ...] (%d)".formatted(String.join(", ", shown), list.size());
      }
      case Object array when array.getClass().isArray() -> {
        var list = new ArrayList<Object>();
        for (int i = 0; i < Array.getLength(array); i++) {
          list.add(Array.get(array, i));
        }
        yield brief(list);
      }
      default -> {
        String text = String.valueOf(value);
        yield text.length() <= SHOWN_CHARACTERS
            ? text
            : "%s... (%d characters)".formatted(text.substring(0, SHOWN_CHARACTERS), text.length());
      }
    };
  }
}
