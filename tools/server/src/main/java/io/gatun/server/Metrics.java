package io.gatun.server;

import io.gatun.models.engine.Result;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;
import org.eclipse.jetty.http.HttpStatus;

/// Figures for Prometheus, in its text format.
final class Metrics {
  private static final double[] TTFT = {.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60};
  private static final double[] GAP = {.005, .01, .02, .03, .05, .075, .1, .15, .25, .5, 1, 2.5};

  private final Map<String, LongAdder> requests = new ConcurrentSkipListMap<>();
  private final Map<String, LongAdder> running = new ConcurrentHashMap<>();
  private final Map<Integer, LongAdder> errors = new ConcurrentSkipListMap<>();
  private final Histogram firstToken = new Histogram(TTFT);
  private final Histogram gap = new Histogram(GAP);
  private final Models models;

  Metrics(Models models) {
    this.models = models;
  }

  /// Ends with a request.
  interface Timer extends AutoCloseable {
    @Override
    void close();
  }

  Timer time(String path) {
    requests.computeIfAbsent(path, _ -> new LongAdder()).increment();
    var now = running.computeIfAbsent(path, _ -> new LongAdder());
    now.increment();
    return now::decrement;
  }

  void countError(int status) {
    errors.computeIfAbsent(status, _ -> new LongAdder()).increment();
  }

  /// Notes an answer that has ended.
  void note(Result.Usage usage) {
    if (usage.firstTokenSeconds() > 0) {
      firstToken.add(usage.firstTokenSeconds());
    }
  }

  /// Notes the time between two tokens.
  void noteGap(double seconds) {
    gap.add(seconds);
  }

  private static final class Histogram {
    final double[] bounds;
    final LongAdder[] counts;
    final DoubleAdder sum = new DoubleAdder();

    Histogram(double[] bounds) {
      this.bounds = bounds;
      counts = new LongAdder[bounds.length + 1];
      for (int i = 0; i < counts.length; i++) {
        counts[i] = new LongAdder();
      }
    }

    void add(double seconds) {
      int i = 0;
      while (i < bounds.length && seconds > bounds[i]) {
        i++;
      }
      counts[i].increment();
      sum.add(seconds);
    }
  }

  void send(Call call) throws IOException {
    call.send(
        HttpStatus.OK_200,
        "text/plain; version=0.0.4; charset=utf-8",
        text().getBytes(StandardCharsets.UTF_8));
  }

  private String text() {
    var out = new StringBuilder();
    head(out, "gatun_requests_total", "counter", "Requests by path.");
    requests.forEach((path, n) -> line(out, "gatun_requests_total", "path=\"" + path + "\"", n.sum()));
    head(out, "gatun_requests_running", "gauge", "Requests that are being answered, by path.");
    new TreeMap<>(running)
        .forEach((path, n) -> line(out, "gatun_requests_running", "path=\"" + path + "\"", n.sum()));
    head(out, "gatun_errors_total", "counter", "Requests that were refused or failed, by status.");
    errors.forEach((status, n) -> line(out, "gatun_errors_total", "status=\"" + status + "\"", n.sum()));
    engines(out);
    histogram(out, "gatun_time_to_first_token_seconds", "From a request to its first token.", firstToken);
    histogram(out, "gatun_inter_token_seconds", "Between two tokens of an answer, as they are read.", gap);
    head(out, "gatun_heap_bytes", "gauge", "Java's heap in use.");
    var heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    line(out, "gatun_heap_bytes", "", heap.getUsed());
    return out.toString();
  }

  private void engines(StringBuilder out) {
    var stats = new TreeMap<String, io.gatun.models.engine.Engine.Stats>();
    models.textModels().forEach((name, model) -> stats.put(label(name), model.engine().stats()));
    head(out, "gatun_answers_running", "gauge", "Answers that are being written.");
    stats.forEach((m, s) -> line(out, "gatun_answers_running", m, s.running()));
    head(out, "gatun_answers_waiting", "gauge", "Requests in the queue.");
    stats.forEach((m, s) -> line(out, "gatun_answers_waiting", m, s.waiting()));
    head(out, "gatun_cache_bytes", "gauge", "Keys and values of answers and prefixes.");
    stats.forEach((m, s) -> line(out, "gatun_cache_bytes", m, s.cacheBytes()));
    head(out, "gatun_prompt_tokens_total", "counter", "Tokens of prompts that were read.");
    stats.forEach((m, s) -> line(out, "gatun_prompt_tokens_total", m, s.promptTokens()));
    head(out, "gatun_cached_tokens_total", "counter", "Tokens of prompts that the cache held.");
    stats.forEach((m, s) -> line(out, "gatun_cached_tokens_total", m, s.cachedTokens()));
    head(out, "gatun_answer_tokens_total", "counter", "Tokens that were written.");
    stats.forEach((m, s) -> line(out, "gatun_answer_tokens_total", m, s.answerTokens()));
    head(out, "gatun_steps_total", "counter", "Steps of the engine.");
    stats.forEach((m, s) -> line(out, "gatun_steps_total", m, s.steps()));
    head(out, "gatun_model_bytes", "gauge", "Files of models that are loaded.");
    models.loaded().forEach(e -> line(out, "gatun_model_bytes", label(e.name()), e.bytes()));
  }

  private static String label(String model) {
    String escaped = model.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    return "model=\"" + escaped + "\"";
  }

  private static void histogram(StringBuilder out, String name, String help, Histogram h) {
    head(out, name, "histogram", help);
    long sum = 0;
    for (int i = 0; i < h.counts.length; i++) {
      sum += h.counts[i].sum();
      String bound = i == h.bounds.length ? "+Inf" : String.valueOf(h.bounds[i]);
      line(out, name + "_bucket", "le=\"" + bound + "\"", sum);
    }
    out.append(String.format(Locale.ROOT, "%s_sum %s%n%s_count %d%n", name, h.sum.sum(), name, sum));
  }

  private static void head(StringBuilder out, String name, String type, String help) {
    out.append("# HELP ").append(name).append(' ').append(help).append('\n');
    out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
  }

  private static void line(StringBuilder out, String name, String labels, long value) {
    out.append(name);
    if (!labels.isEmpty()) {
      out.append('{').append(labels).append('}');
    }
    out.append(' ').append(value).append('\n');
  }
}
