package io.gatun.tools.bench;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.LoadMode;
import io.gatun.models.PackedModels;
import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.arch.Architectures;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import io.gatun.tools.machine.Machine;
import io.gatun.tools.machine.Roofs;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.PackOptions;
import io.gatun.tools.options.ThreadsOption;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench llm`: reading and writing speed of a language model, beside the machine's roofs.
@Command(
    name = "llm",
    description =
        "Measure a language model: load, prefill and decode, as shares of what this machine can"
            + " do.",
    sortOptions = false)
final class BenchLlm implements Runnable {
  private static final int DECODED = 64;

  /// Positions that are filled at a time.
  private static final int FILLED = 256;

  private static final long WARM_UP_NANOS = 5_000_000_000L;
  private static final long PREFILL_WARM_UP_NANOS = 1_000_000_000L;

  /// Prompts of at most so many tokens are measured more often.
  private static final int SHORT_PROMPT = 64;

  @Spec private CommandSpec spec;

  @Mixin private DecoderModelOptions model;

  @Mixin private ThreadsOption threads;

  @Option(
      names = "--prompt-tokens",
      paramLabel = "N",
      split = ",",
      converter = CountConverter.class,
      defaultValue = "128,512",
      description = "Prompt lengths to measure (default: ${DEFAULT-VALUE}).")
  private int[] prompts;

  @Option(
      names = "--depth",
      paramLabel = "N",
      split = ",",
      converter = CountConverter.class,
      description = "Measure decoding after N tokens, too, such as 4096 (default: none).")
  private int[] depths = {};

  @Option(
      names = "--batch",
      paramLabel = "N",
      split = ",",
      converter = CountConverter.class,
      defaultValue = "1,2,4,8,12,16,32",
      description = "Numbers of sequences that write at once (default: ${DEFAULT-VALUE}).")
  private int[] batches;

  @Option(
      names = "--kv",
      paramLabel = "f16|bf16|f32|int8",
      defaultValue = "f16",
      description = "Type of the key/value cache (default: ${DEFAULT-VALUE}).")
  private DType.Plain kv;

  @Mixin private PackOptions pack;

  @Mixin private FiguresOptions report;

  @Override
  public void run() {
    report.print(this::measure, BenchLlm::text);
  }

  private Map<String, Object> measure() {
    Path path = model.path();
    var figures = new LinkedHashMap<String, Object>();
    figures.put("model", path.toString());
    figures.put("threads", threads.count());
    if (FreshProcess.canStart() && hasTokenizer(path)) {
      figures.put("first_token_seconds", FirstToken.seconds(path, threads.count()));
    }
    double before = Roofs.readBandwidth(threads.count()).best();
    figures.put("read_bandwidth_bytes_per_second", before);
    var products = Roofs.products(DType.Plain.BF16, threads.count());
    double peak = products.rate();
    figures.put("gemm", products.library());
    figures.put("bf16_gemm_flop_per_second", peak);
    long start = System.nanoTime();
    try (var checkpoint = open(path);
        var ops = new Ops(Backend.NATIVE, threads.count(), Precision.FAST)) {
      var decoder = Architectures.open(checkpoint);
      figures.put("load_seconds", (System.nanoTime() - start) / 1e9);
      long perToken = decoder.weightsPerToken();
      figures.put("weights_per_token", perToken);
      figures.put("weight_bytes_per_token", decoder.bytesPerToken());
      figures.put(
          "weight_bytes", checkpoint.tensors().values().stream().mapToLong(Tensor::byteSize).sum());
      for (int n : prompts) {
        double rate = prefill(decoder, ops, n);
        figures.put("prefill_" + n + "_tokens_per_second", rate);
        figures.put("prefill_" + n + "_share_of_bf16_gemm", 2.0 * perToken * rate / peak);
      }
      double[] seconds = decode(decoder, ops, 0, figures);
      // Neighbours leave more of the memory at one time than at another.
      double bandwidth = Math.max(before, Roofs.readBandwidth(threads.count()).best());
      figures.put("read_bandwidth_bytes_per_second", bandwidth);
      double rate = 1 / seconds[seconds.length / 2];
      figures.put("decode_tokens_per_second", rate);
      figures.put("decode_best_tokens_per_second", 1 / seconds[0]);
      figures.put("decode_weights_per_second", rate * perToken);
      figures.put("decode_bytes_per_second", rate * decoder.bytesPerToken());
      figures.put("decode_share_of_bandwidth", rate * decoder.bytesPerToken() / bandwidth);
      for (int depth : depths) {
        double[] deep = decode(decoder, ops, depth, figures);
        figures.put("decode_after_" + depth + "_tokens_per_second", 1 / deep[deep.length / 2]);
      }
      for (int rows : batches) {
        var steps = StepRates.measure(decoder, ops, kv, rows);
        figures.put("batch_" + rows + "_tokens_per_second", steps.tokensPerSecond());
        figures.put("batch_" + rows + "_allocated_bytes_per_step", steps.allocatedBytes());
      }
      figures.put("workspace_bytes", ops.workspace().byteSize());
    }
    return figures;
  }

  /// Random weights are measured in the layout that was asked for.
  private Checkpoint open(Path path) {
    return !model.isSynthetic() && pack.isAuto()
        ? new PackedModels(threads.count(), pack.limit(), spec.commandLine().getErr()::println)
            .open(path, LoadMode.MAP)
        : Checkpoint.open(path);
  }

  private static boolean hasTokenizer(Path path) {
    return Tokenizers.file(path).isPresent();
  }

  /// Prompt tokens per second: the median of a few prompts, after some for the compiler.
  private double prefill(Decoder decoder, Ops ops, int n) {
    var ids = new int[n];
    Arrays.setAll(ids, i -> (i * 7919 + 1) % decoder.config().vocabSize());
    var seconds = new double[n <= SHORT_PROMPT ? 15 : 5];
    var rest = new CompilerRest(PREFILL_WARM_UP_NANOS, WARM_UP_NANOS);
    for (int run = -1; run < seconds.length; run += run >= 0 || rest.isReached() ? 1 : 0) {
      try (var pool = new KvPool(Long.MAX_VALUE);
          var sequence = new Sequence(pool, decoder.layout(kv), n);
          var _ = ops.scope()) {
        long start = System.nanoTime();
        decoder.logits(ops, decoder.forward(ops, Batch.of(sequence, ids, 1)));
        seconds[Math.max(0, run)] = (System.nanoTime() - start) / 1e9;
      }
    }
    Arrays.sort(seconds);
    return n / seconds[seconds.length / 2];
  }

  /// Seconds for each token, sorted, after `depth` tokens, a short prompt and enough tokens to warm
  /// up. Also notes what memory it took.
  private double[] decode(Decoder decoder, Ops ops, int depth, Map<String, Object> figures) {
    var seconds = new double[DECODED];
    try (var pool = new KvPool(Long.MAX_VALUE);
        var sequence = new Sequence(pool, decoder.layout(kv), depth + 8 * DECODED)) {
      fill(ops, sequence, depth);
      int[] ids = new int[16];
      Arrays.fill(ids, 1);
      var rest = new CompilerRest(0, WARM_UP_NANOS);
      for (int i = -6 * DECODED; i < DECODED; i++) {
        if (i < 0 && rest.isReached()) {
          i = 0;
        }
        long start = System.nanoTime();
        try (var _ = ops.scope()) {
          var last = decoder.forward(ops, Batch.of(sequence, ids, 1));
          ops.argmax(decoder.logits(ops, last), 0);
          // Not what it writes, which may be the same again and again, and use the same experts.
          ids = new int[] {Math.floorMod(i * 7919, decoder.config().vocabSize())};
        }
        seconds[Math.max(0, i)] = (System.nanoTime() - start) / 1e9;
      }
      figures.put("java_heap_bytes", Runtime.getRuntime().totalMemory());
      long anonymous = Machine.anonymousMemory();
      if (anonymous > 0) {
        figures.put("memory_beyond_weights_and_cache_bytes", anonymous - sequence.byteSize());
      }
    }
    Arrays.sort(seconds);
    return seconds;
  }

  /// Puts keys and values of ones at the positions before `depth`.
  private static void fill(Ops ops, Sequence sequence, int depth) {
    var parts = sequence.layout().states();
    for (int position = 0; position < depth; position = sequence.length()) {
      int tokens = Math.min(FILLED, depth - position);
      sequence.reserve(tokens);
      for (int part = 0; part < parts.size(); part++) {
        if (parts.get(part) instanceof KvLayout kv) {
          try (var _ = ops.scope()) {
            var spans = List.of(new Span(0, tokens, sequence));
            var k = ones(ops, tokens, kv.heads(), kv.keyDim());
            ops.put(spans, part, k, ones(ops, tokens, kv.heads(), kv.valueDim()));
          }
        }
      }
      sequence.advance(tokens);
    }
  }

  private static Tensor ones(Ops ops, long... dims) {
    var ones = ops.empty(dims);
    for (long i = 0; i < ones.size(); i++) {
      ones.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
    }
    return ones;
  }

  private static String text(Map<String, Object> f) {
    var table = new Table("lr");
    table.row("read bandwidth", "%.1f GB/s".formatted(giga(f, "read_bandwidth_bytes_per_second")));
    table.row(
        f.get("gemm") + " product", "%.0f GFLOP/s".formatted(giga(f, "bf16_gemm_flop_per_second")));
    table.row(
        "a token reads",
        "%s of %s"
            .formatted(
                Units.bytes((Long) f.get("weight_bytes_per_token")),
                Units.bytes((Long) f.get("weight_bytes"))));
    table.row("load", "%.3f s".formatted(number(f, "load_seconds")));
    if (f.containsKey("first_token_seconds")) {
      table.row("command to first token", "%.2f s".formatted(number(f, "first_token_seconds")));
    }
    f.keySet().stream()
        .filter(key -> key.matches("prefill_\\d+_tokens_per_second"))
        .forEach(
            key -> {
              String n = key.replaceAll("\\D", "");
              table.row(
                  "prefill " + n,
                  "%.1f tok/s, %.2f of the %s product"
                      .formatted(
                          number(f, key),
                          number(f, "prefill_" + n + "_share_of_bf16_gemm"),
                          f.get("gemm")));
            });
    table.row(
        "decode",
        "%.1f tok/s (best %.1f), %.1f Gweights/s, %.1f GB/s, %.2f of the bandwidth"
            .formatted(
                number(f, "decode_tokens_per_second"),
                number(f, "decode_best_tokens_per_second"),
                giga(f, "decode_weights_per_second"),
                giga(f, "decode_bytes_per_second"),
                number(f, "decode_share_of_bandwidth")));
    f.keySet().stream()
        .filter(key -> key.startsWith("decode_after_"))
        .forEach(
            key ->
                table.row(
                    "decode after " + key.replaceAll("\\D", ""),
                    "%.1f tok/s".formatted(number(f, key))));
    f.keySet().stream()
        .filter(key -> key.matches("batch_\\d+_tokens_per_second"))
        .forEach(
            key -> {
              String n = key.replaceAll("\\D", "");
              table.row(
                  "decode of %s at once".formatted(n),
                  "%.1f tok/s, %s of Java heap a step"
                      .formatted(
                          number(f, key),
                          Units.bytes((Long) f.get("batch_" + n + "_allocated_bytes_per_step"))));
            });
    table.row("Java heap", Units.bytes((Long) f.get("java_heap_bytes")));
    if (f.get("memory_beyond_weights_and_cache_bytes") instanceof Long beyond) {
      table.row("memory beyond weights and cache", Units.bytes(beyond));
    }
    table.row("workspace", Units.bytes((Long) f.get("workspace_bytes")));
    return "%s, %s threads%n%s".formatted(f.get("model"), f.get("threads"), table);
  }

  private static double number(Map<String, Object> figures, String key) {
    return ((Number) figures.get(key)).doubleValue();
  }

  private static double giga(Map<String, Object> figures, String key) {
    return number(figures, key) / 1e9;
  }
}
