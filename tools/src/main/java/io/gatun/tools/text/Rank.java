package io.gatun.tools.text;

import io.gatun.models.Reranker;
import io.gatun.tools.console.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun rank`: documents in the order in which they answer a query.
@Command(
    name = "rank",
    description = "Sort texts by how well they answer a query, the best first.",
    sortOptions = false)
public final class Rank implements Runnable {
  @Spec private CommandSpec spec;

  @Mixin private EncoderOptions model;

  @Option(
      names = "--query",
      paramLabel = "TEXT",
      required = true,
      description = "What the texts are to answer.")
  private String query;

  @Mixin private LineOptions texts;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public void run() {
    Path path = model.model();
    List<String> all = texts.read();
    try (var reranker = Reranker.load(path, model::apply)) {
      float[] scores = reranker.score(query, all);
      int[] order =
          IntStream.range(0, scores.length)
              .boxed()
              .sorted(Comparator.comparingDouble((Integer i) -> -scores[i]))
              .mapToInt(Integer::intValue)
              .toArray();
      var out = spec.commandLine().getOut();
      if (json) {
        var results = new ArrayList<Object>();
        for (int i : order) {
          var map = new LinkedHashMap<String, Object>();
          map.put("index", i);
          map.put("score", scores[i]);
          map.put("text", all.get(i));
          results.add(map);
        }
        var map = new LinkedHashMap<String, Object>();
        map.put("model", path.toString());
        map.put("query", query);
        map.put("results", results);
        out.println(Json.of(map));
      } else {
        for (int i : order) {
          out.println(String.format(Locale.ROOT, "%.6f  %s", scores[i], all.get(i)));
        }
      }
      out.flush();
    }
  }
}
