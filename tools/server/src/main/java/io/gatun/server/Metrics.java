package io.gatun.server;

import io.gatun.models.engine.Histogram;
import io.gatun.models.engine.Stats;
import io.gatun.server.http.Call;
import io.gatun.server.http.RequestCounts;
import io.gatun.server.models.Models;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.eclipse.jetty.http.HttpStatus;

/// Figures for Prometheus, in its text format.
final class Metrics {
  private final RequestCounts counts;
  private final Models models;

  Metrics(RequestCounts counts, Models models) {
    this.counts = counts;
    this.models = models;
  }

  void send(Call call) throws IOException {
    call.send(
        HttpStatus.OK_200,
        "text/plain; version=0.0.4; charset=utf-8",
        text().getBytes(StandardCharsets.UTF_8));
  }

  private String text() {
    var out = new Text();
    out.head("gatun_requests_total", "counter", "Requests by path.");
    counts
        .requests()
        .forEach((path, n) -> out.line("gatun_requests_total", label("path", path), n));
    out.head("gatun_requests_running", "gauge", "Requests that are being answered, by path.");
    counts
        .running()
        .forEach((path, n) -> out.line("gatun_requests_running", label("path", path), n));
    out.head("gatun_errors_total", "counter", "Requests that were refused or failed, by status.");
    counts
        .errors()
        .forEach(
            (status, n) ->
                out.line("gatun_errors_total", label("status", String.valueOf(status)), n));
    engines(out);
    out.head("gatun_model_bytes", "gauge", "Files of models that are loaded.");
    models
        .loaded()
        .forEach(e -> out.line("gatun_model_bytes", label("model", e.name()), e.bytes()));
    out.head("gatun_heap_bytes", "gauge", "Java's heap in use.");
    var runtime = Runtime.getRuntime();
    out.line("gatun_heap_bytes", "", runtime.totalMemory() - runtime.freeMemory());
    return out.text.toString();
  }

  private void engines(Text out) {
    var stats = new TreeMap<String, Stats>();
    models
        .textModels()
        .forEach((name, model) -> stats.put(label("model", name), model.engine().stats()));
    out.values(
        stats, "answers_running", "gauge", "Answers that are being written.", Stats::running);
    out.values(stats, "answers_waiting", "gauge", "Requests in the queue.", Stats::waiting);
    out.values(stats, "answers_paused", "gauge", "Answers of slow readers.", Stats::paused);
    out.values(
        stats,
        "cache_bytes",
        "gauge",
        "Keys and values of answers and prefixes.",
        Stats::cacheBytes);
    out.values(
        stats, "prompt_tokens_total", "counter", "Tokens of prompts read.", Stats::promptTokens);
    out.values(
        stats,
        "cached_tokens_total",
        "counter",
        "Prompt tokens in the cache.",
        Stats::cachedTokens);
    out.values(stats, "answer_tokens_total", "counter", "Tokens written.", Stats::answerTokens);
    out.values(stats, "drafted_tokens_total", "counter", "Tokens guessed.", Stats::drafted);
    out.values(stats, "accepted_tokens_total", "counter", "Tokens guessed right.", Stats::accepted);
    out.values(stats, "steps_total", "counter", "Steps of the engine.", Stats::steps);
    out.values(stats, "preemptions_total", "counter", "Answers put off.", Stats::preemptions);
    out.values(stats, "failed_total", "counter", "Answers that failed.", Stats::failed);
    out.histograms(
        stats,
        "time_to_first_token_seconds",
        "From a request to its first token.",
        Stats::firstToken);
    out.histograms(
        stats, "inter_token_seconds", "Between two tokens of an answer.", Stats::tokenGap);
  }

  private static String label(String name, String value) {
    String escaped = value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    return name + "=\"" + escaped + "\"";
  }

  private static final class Text {
    final StringBuilder text = new StringBuilder();

    void head(String name, String type, String help) {
      text.append("# HELP ").append(name).append(' ').append(help).append('\n');
      text.append("# TYPE ").append(name).append(' ').append(type).append('\n');
    }

    void line(String name, String labels, Object value) {
      text.append(name);
      if (!labels.isEmpty()) {
        text.append('{').append(labels).append('}');
      }
      text.append(' ').append(value).append('\n');
    }

    void values(
        Map<String, Stats> all, String name, String type, String help, ToLongFunction<Stats> of) {
      head("gatun_" + name, type, help);
      all.forEach((model, stats) -> line("gatun_" + name, model, of.applyAsLong(stats)));
    }

    void histograms(
        Map<String, Stats> all, String name, String help, Function<Stats, Histogram> of) {
      String full = "gatun_" + name;
      head(full, "histogram", help);
      double[] bounds = Histogram.bounds();
      all.forEach(
          (model, stats) -> {
            var found = of.apply(stats);
            long sum = 0;
            for (int i = 0; i < found.counts().length; i++) {
              sum += found.counts()[i];
              String bound = i == bounds.length ? "+Inf" : String.valueOf(bounds[i]);
              line(full + "_bucket", model + ",le=\"" + bound + "\"", sum);
            }
            line(full + "_sum", model, found.seconds());
            line(full + "_count", model, sum);
          });
    }
  }
}
