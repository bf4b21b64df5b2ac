package io.gatun.tools;

import io.gatun.models.Llm;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun bench serve`: how an engine serves many clients at once.
@Command(
    name = "serve",
    description =
        "Measure the engine: several clients beside one, a long prompt that comes while answers are"
            + " written, and prompts that begin alike.",
    sortOptions = false)
final class BenchServe implements Callable<Integer> {
  /// Of an answer that goes on for as long as something is measured.
  private static final int LONG = 100_000;

  private static final int WRITERS = 4;

  @Spec private CommandSpec spec;

  @Mixin private DecoderModelOptions model;

  @Mixin private ThreadsOption threads;

  @Option(
      names = "--clients",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Clients at once (default: ${DEFAULT-VALUE}).")
  private int clients = 8;

  @Option(
      names = "--prompt-tokens",
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Length of their prompts (default: ${DEFAULT-VALUE}).")
  private int promptTokens = 64;

  @Option(
      names = {"-n", "--max-tokens"},
      paramLabel = "N",
      converter = CountConverter.class,
      description = "Length of their answers (default: ${DEFAULT-VALUE}).")
  private int maxTokens = 96;

  @Option(
      names = "--batch-invariant",
      description = "Measure the mode in which an answer is the same whatever else runs.")
  private boolean batchInvariant;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  private final Random random = new Random(1);
  private final Map<String, Object> figures = new LinkedHashMap<>();

  @Override
  public Integer call() throws Exception {
    var path = model.path();
    figures.put("model", path.toString());
    figures.put("threads", threads.count());
    try (var llm = Llm.load(path, o -> o.threads(threads.count()));
        var engine =
            Engine.open(llm, o -> o.parallel(clients + 1).batchInvariant(batchInvariant))) {
      var bench = new Measurements(llm, engine);
      bench.clients(clients, "warm_up");
      bench.clients(1, "one_client");
      bench.clients(clients, "clients_" + clients);
      figures.put("clients_over_one", rate("clients_" + clients + "_") / rate("one_client_"));
      bench.longPrompt();
      bench.prefix();
      figures.keySet().removeIf(key -> key.startsWith("warm_up"));
    }
    var out = spec.commandLine().getOut();
    out.println(json ? Json.of(figures) : text());
    out.flush();
    return 0;
  }

  private double rate(String prefix) {
    return ((Number) figures.get(prefix + "decode_tokens_per_second")).doubleValue();
  }

  /// What a client saw of its answer: seconds of the clock.
  private record Seen(double asked, double[] tokens) {
    double first() {
      return tokens[0] - asked;
    }

    double last() {
      return tokens[tokens.length - 1];
    }

    /// The times between its tokens that ended after `from` and began before `to`.
    List<Double> gaps(double from, double to) {
      var gaps = new ArrayList<Double>();
      for (int i = 1; i < tokens.length; i++) {
        if (tokens[i] > from && tokens[i - 1] < to) {
          gaps.add(tokens[i] - tokens[i - 1]);
        }
      }
      return gaps;
    }
  }

  private final class Measurements {
    private final Llm llm;
    private final Engine engine;

    Measurements(Llm llm, Engine engine) {
      this.llm = llm;
      this.engine = engine;
    }

    private Request request(int length, int most) {
      int vocabulary = llm.model().config().vocabSize();
      int[] prompt = random.ints(length, 0, vocabulary).toArray();
      return Request.of(prompt)
          .sampling(SamplingOptions.DEFAULT.withSeed(1))
          .maxTokens(most)
          .ignoreEnd(true);
    }

    private static double now() {
      return System.nanoTime() / 1e9;
    }

    /// Asks, and reads the answer as a client does.
    private Callable<Seen> client(Request request) {
      double asked = now();
      var handle = engine.submit(request);
      return () -> read(asked, handle);
    }

    private Seen read(double asked, Handle handle) throws InterruptedException {
      var times = new ArrayList<Double>();
      for (var piece = handle.next(); piece != null; piece = handle.next()) {
        if (piece.token() >= 0) {
          times.add(now());
        }
      }
      return new Seen(asked, times.stream().mapToDouble(t -> t).toArray());
    }

    /// Some clients that ask at the same moment.
    void clients(int count, String name) throws Exception {
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var all = new ArrayList<Callable<Seen>>();
        for (int i = 0; i < count; i++) {
          all.add(client(request(promptTokens, maxTokens)));
        }
        var seen = new ArrayList<Seen>();
        for (var each : threads.invokeAll(all)) {
          seen.add(each.get());
        }
        double began = seen.stream().mapToDouble(s -> s.tokens()[0]).max().orElseThrow();
        double ended = seen.stream().mapToDouble(Seen::last).min().orElseThrow();
        // While all of them write.
        double written =
            seen.stream()
                .mapToLong(
                    s -> Arrays.stream(s.tokens()).filter(t -> t > began && t <= ended).count())
                .sum();
        double asked = seen.stream().mapToDouble(Seen::asked).min().orElseThrow();
        double last = seen.stream().mapToDouble(Seen::last).max().orElseThrow();
        figures.put(name + "_decode_tokens_per_second", written / (ended - began));
        figures.put(
            name + "_output_tokens_per_second", (double) count * maxTokens / (last - asked));
        percentiles(name + "_first_token", seen.stream().map(Seen::first).toList());
        percentiles(
            name + "_token_gap",
            seen.stream().flatMap(s -> s.gaps(began, ended).stream()).toList());
      }
    }

    /// A prompt almost as long as the context, 2,000 tokens at the most, comes while some answers
    /// are being written.
    void longPrompt() throws Exception {
      int length = Math.min(2000, engine.contextLimit() - 2);
      int room = engine.contextLimit() - promptTokens;
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var handles = new ArrayList<Handle>();
        var writers = new ArrayList<Future<Seen>>();
        for (int i = 0; i < WRITERS; i++) {
          double asked = now();
          var handle = engine.submit(request(promptTokens, Math.min(LONG, room)));
          handles.add(handle);
          writers.add(threads.submit(() -> read(asked, handle)));
        }
        Thread.sleep(3000);
        double before = now();
        var reader = threads.submit(client(request(length, 1)));
        var seen = reader.get();
        handles.forEach(Handle::cancel);
        var alone = new ArrayList<Double>();
        var meanwhile = new ArrayList<Double>();
        for (var writer : writers) {
          alone.addAll(writer.get().gaps(before - 2, before));
          meanwhile.addAll(writer.get().gaps(before, seen.last()));
        }
        figures.put("long_prompt_tokens", length);
        figures.put("long_prompt_first_token_seconds", seen.first());
        percentiles("before_long_prompt_token_gap", alone);
        percentiles("during_long_prompt_token_gap", meanwhile);
        figures.put(
            "long_prompt_p99_gap_over_median",
            percentile(meanwhile, 0.99) / percentile(alone, 0.5));
      }
    }

    /// Two prompts that begin with the same tokens, one after the other.
    void prefix() throws Exception {
      int length = Math.min(1500, engine.contextLimit() / 2);
      int[] shared = request(length, 1).prompt();
      var seconds = new double[2];
      for (int i = 0; i < 2; i++) {
        int[] own = request(20, 1).prompt();
        int[] prompt = Arrays.copyOf(shared, length + own.length);
        System.arraycopy(own, 0, prompt, length, own.length);
        var request = Request.of(prompt).sampling(SamplingOptions.GREEDY).maxTokens(1);
        seconds[i] = client(request).call().first();
      }
      figures.put("prefix_tokens", length);
      figures.put("first_with_prefix_first_token_seconds", seconds[0]);
      figures.put("second_with_prefix_first_token_seconds", seconds[1]);
    }
  }

  private void percentiles(String name, List<Double> seconds) {
    figures.put(name + "_p50_seconds", percentile(seconds, 0.5));
    figures.put(name + "_p99_seconds", percentile(seconds, 0.99));
  }

  /// By the nearest rank.
  private static double percentile(List<Double> values, double share) {
    var sorted = values.stream().sorted().toList();
    return sorted.isEmpty() ? Double.NaN : sorted.get((int) Math.ceil(share * sorted.size()) - 1);
  }

  private String text() {
    var table = new Table("lr");
    figures.forEach(
        (key, value) -> {
          if (key.endsWith("_seconds")) {
            double ms = 1000 * ((Number) value).doubleValue();
            table.row(label(key, "_seconds"), "%.1f ms".formatted(ms));
          } else if (key.endsWith("_tokens_per_second")) {
            table.row(label(key, "_tokens_per_second"), "%.1f tok/s".formatted(value));
          } else if (value instanceof Double ratio) {
            table.row(label(key, ""), "%.2f".formatted(ratio));
          }
        });
    return "%s, %s threads%n%s".formatted(figures.get("model"), figures.get("threads"), table);
  }

  private static String label(String key, String unit) {
    return key.substring(0, key.length() - unit.length()).replace('_', ' ');
  }
}
