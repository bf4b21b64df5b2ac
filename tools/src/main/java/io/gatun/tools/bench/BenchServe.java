package io.gatun.tools.bench;

import io.gatun.models.Llm;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ThreadsOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
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
            + " written, prompts that begin alike, and what a constraint and batch invariance"
            + " cost.",
    sortOptions = false)
final class BenchServe implements Callable<Integer> {
  private static final int WRITERS = 4;

  /// How often two ways are measured by turns.
  private static final int TURNS = 3;

  /// Tokens that each of them writes before and while the figures without a long prompt are taken.
  private static final int AHEAD = 32;

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
  private int told;

  @Override
  public Integer call() throws Exception {
    var path = model.path();
    try (var llm = Llm.load(path, o -> o.threads(threads.count()));
        var engine =
            Engine.open(llm, o -> o.parallel(clients + 1).batchInvariant(batchInvariant))) {
      var bench = new Measurements(llm, engine);
      bench.clients(clients, maxTokens / 3 + 1, "warm_up");
      bench.clients(1, maxTokens / 3 + 1, list(1), "warm_up");
      bench.longPrompt(200);
      bench.prefix(64);
      figures.clear(); // of what was still being compiled
      figures.put("model", path.toString());
      figures.put("threads", threads.count());
      told = figures.size();
      print("%s, %s threads%n".formatted(path, threads.count()));
      bench.clients(1, maxTokens, "one_client");
      tell();
      bench.clients(clients, maxTokens, "clients_" + clients);
      figures.put("clients_over_one", decode("clients_" + clients) / decode("one_client"));
      tell();
      bench.constrained(maxTokens);
      tell();
      bench.longPrompt(2000);
      tell();
      bench.prefix(Math.min(1500, engine.contextLimit() / 2));
      tell();
      if (!batchInvariant) {
        measureBatchInvariance(llm);
      }
    }
    if (json) {
      spec.commandLine().getOut().println(Json.of(figures));
      spec.commandLine().getOut().flush();
    }
    return 0;
  }

  /// What it costs that an answer is the same whatever else runs.
  private void measureBatchInvariance(Llm llm) throws Exception {
    try (var engine = Engine.open(llm, o -> o.parallel(clients + 1).batchInvariant(true))) {
      var bench = new Measurements(llm, engine);
      String name = "batch_invariant_clients_" + clients;
      bench.clients(clients, maxTokens, name);
      cost("batch_invariant_cost", name, "clients_" + clients);
      tell();
    }
  }

  /// By how much slower whole answers come than without something, prompts included.
  private void cost(String name, String with, String without) {
    cost(name, rate(with + "_output_"), rate(without + "_output_"));
  }

  private void cost(String name, double with, double without) {
    figures.put(name + "_percent", 100 * (1 - with / without));
  }

  private void print(String text) {
    if (!json) {
      spec.commandLine().getOut().print(text);
      spec.commandLine().getOut().flush();
    }
  }

  private double rate(String prefix) {
    return ((Number) figures.get(prefix + "tokens_per_second")).doubleValue();
  }

  private double decode(String name) {
    return rate(name + "_decode_");
  }

  /// A list of strings in JSON.
  private static Constraint list(int least) {
    return Constraint.jsonSchema(
        """
        {"type": "array", "items": {"type": "string"}, "minItems": %d}
        """
            .formatted(least));
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
      return () -> read(asked, handle, () -> {});
    }

    private static Seen read(double asked, Handle handle, Runnable token)
        throws InterruptedException {
      var times = new ArrayList<Double>();
      for (var piece = handle.next(); piece != null; piece = handle.next()) {
        if (piece.token() >= 0) {
          times.add(now());
          token.run();
        }
      }
      return new Seen(asked, times.stream().mapToDouble(t -> t).toArray());
    }

    /// Some clients that ask at the same moment.
    void clients(int count, int tokens, String name) throws Exception {
      clients(count, tokens, null, name);
    }

    /// A client whose answer is a list of strings in JSON, which has them until it must end, by
    /// turns with one who writes what it likes: as the machine is not equally fast all the time.
    void constrained(int tokens) throws Exception {
      var with = new ArrayList<Double>();
      var without = new ArrayList<Double>();
      for (int i = 0; i < TURNS; i++) {
        clients(1, tokens, "one_client_by_turns");
        without.add(decode("one_client_by_turns"));
        clients(1, tokens, list(Math.max(1, tokens / 8 - i)), "one_client_with_constraint");
        with.add(decode("one_client_with_constraint"));
      }
      cost("constraint_cost_of_decode", percentile(with, .5), percentile(without, .5));
    }

    private void clients(int count, int tokens, Constraint constraint, String name)
        throws Exception {
      var before = engine.stats();
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var all = new ArrayList<Callable<Seen>>();
        for (int i = 0; i < count; i++) {
          var request = request(promptTokens, tokens);
          all.add(client(constraint == null ? request : request.constraint(constraint)));
        }
        var seen = new ArrayList<Seen>();
        for (var each : threads.invokeAll(all)) {
          seen.add(each.get());
        }
        double began = seen.stream().mapToDouble(s -> s.tokens()[0]).max().orElseThrow();
        double ended = seen.stream().mapToDouble(Seen::last).min().orElseThrow();
        if (began >= ended) { // some have ended before the last began
          began = seen.stream().mapToDouble(s -> s.tokens()[0]).min().orElseThrow();
          ended = seen.stream().mapToDouble(Seen::last).max().orElseThrow();
        }
        double from = began;
        double to = ended;
        // While all of them write, if there is such a time.
        double written =
            seen.stream()
                .mapToLong(s -> Arrays.stream(s.tokens()).filter(t -> t > from && t <= to).count())
                .sum();
        double asked = seen.stream().mapToDouble(Seen::asked).min().orElseThrow();
        double last = seen.stream().mapToDouble(Seen::last).max().orElseThrow();
        figures.put(name + "_decode_tokens_per_second", written / (to - from));
        figures.put(name + "_output_tokens_per_second", (double) count * tokens / (last - asked));
        var stats = engine.stats();
        cost(
            name + "_outside_of_model",
            stats.modelSeconds() - before.modelSeconds(),
            stats.stepSeconds() - before.stepSeconds());
        percentiles(name + "_first_token", seen.stream().map(Seen::first).toList());
        percentiles(
            name + "_token_gap", seen.stream().flatMap(s -> s.gaps(from, to).stream()).toList());
      }
    }

    /// A client that asks again whenever its answer has ended.
    private final class Writer {
      private final List<Seen> seen = new ArrayList<>();
      private final CountDownLatch settled = new CountDownLatch(AHEAD);
      private final CountDownLatch ahead = new CountDownLatch(3 * AHEAD);
      private volatile boolean ends;

      List<Seen> write() throws InterruptedException {
        int most = engine.contextLimit() - promptTokens;
        while (!ends) {
          double asked = now();
          var handle = engine.submit(request(promptTokens, most));
          seen.add(
              read(
                  asked,
                  handle,
                  () -> {
                    settled.countDown();
                    ahead.countDown();
                    if (ends) {
                      handle.cancel();
                    }
                  }));
        }
        return seen;
      }
    }

    /// A prompt, as long as the context at the most, comes while some answers are being written.
    void longPrompt(int tokens) throws Exception {
      int length = Math.min(tokens, engine.contextLimit() - 2);
      try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
        var writers = Stream.generate(Writer::new).limit(WRITERS).toList();
        var written = writers.stream().map(w -> threads.submit(w::write)).toList();
        for (var writer : writers) {
          writer.settled.await();
        }
        double settled = now();
        for (var writer : writers) {
          writer.ahead.await();
        }
        double before = now();
        var seen = client(request(length, 1)).call();
        writers.forEach(writer -> writer.ends = true);
        var alone = new ArrayList<Double>();
        var meanwhile = new ArrayList<Double>();
        for (var each : written) {
          for (var answer : each.get()) {
            alone.addAll(answer.gaps(settled, before));
            meanwhile.addAll(answer.gaps(before, seen.last()));
          }
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

    /// Prompts that begin with the same tokens, one after the other.
    ///
    /// @param length of what they share
    void prefix(int length) throws Exception {
      int[] shared = request(length, 1).prompt();
      var seconds = new ArrayList<Double>();
      for (int i = 0; i < 4; i++) {
        int[] own = request(20, 1).prompt();
        int[] prompt = Arrays.copyOf(shared, length + own.length);
        System.arraycopy(own, 0, prompt, length, own.length);
        var request = Request.of(prompt).sampling(SamplingOptions.GREEDY).maxTokens(1);
        seconds.add(client(request).call().first());
      }
      double first = seconds.removeFirst();
      double next = percentile(seconds, 0.5);
      figures.put("prefix_tokens", length);
      figures.put("first_with_prefix_first_token_seconds", first);
      figures.put("next_with_prefix_first_token_seconds", next);
      figures.put("prefix_first_over_next", first / next);
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

  /// Prints what has been measured since the last time.
  private void tell() {
    figures.entrySet().stream().skip(told).forEach(figure -> print(line(figure)));
    told = figures.size();
  }

  private static String line(Map.Entry<String, Object> figure) {
    String key = figure.getKey();
    double value = figure.getValue() instanceof Number number ? number.doubleValue() : Double.NaN;
    String text = "%.2f".formatted(value);
    if (key.endsWith("_seconds")) {
      key = label(key, "_seconds");
      text = "%.1f ms".formatted(1000 * value);
    } else if (key.endsWith("_tokens_per_second")) {
      key = label(key, "_tokens_per_second");
      text = "%.1f tok/s".formatted(value);
    } else if (key.endsWith("_percent")) {
      key = label(key, "_percent");
      text = "%.1f %%".formatted(value);
    } else if (figure.getValue() instanceof Integer) {
      text = figure.getValue().toString();
    }
    return "%-40s %14s%n".formatted(label(key, ""), text);
  }

  private static String label(String key, String unit) {
    return key.substring(0, key.length() - unit.length()).replace('_', ' ');
  }
}
