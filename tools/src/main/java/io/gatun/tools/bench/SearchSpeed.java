package io.gatun.tools.bench;

import io.gatun.search.Document;
import io.gatun.search.Embedder;
import io.gatun.search.Index;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.tools.console.Json;
import io.gatun.tools.console.Units;
import io.gatun.tools.search.TemporaryFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/// What `gatun bench search` measures.
final class SearchSpeed {
  /// Words as rare as in a language: the n-th is used 1/n as often as the first.
  private static final int VOCABULARY = 50_000;

  private static final int WORDS_OF_PASSAGE = 120;
  private static final int WORDS_OF_QUERY = 8;
  private static final int DOCUMENTS_AT_ONCE = 10_000;

  /// Queries that are not counted.
  private static final int WARM_UP = 200;

  /// Makes random vectors about one of some directions, as texts have subjects.
  private record RandomVectors(int dimension, float[][] subjects) implements Embedder {
    static RandomVectors of(int dimension) {
      var random = new SplittableRandom(1);
      float[][] subjects = new float[1000][dimension];
      for (float[] subject : subjects) {
        for (int i = 0; i < dimension; i++) {
          subject[i] = (float) random.nextGaussian();
        }
      }
      return new RandomVectors(dimension, subjects);
    }

    @Override
    public String name() {
      return "random";
    }

    @Override
    public int maxTokens() {
      return 2 * WORDS_OF_PASSAGE;
    }

    @Override
    public int tokens(String text) {
      int spaces = 0;
      for (int i = 0; i < text.length(); i++) {
        spaces += text.charAt(i) == ' ' ? 1 : 0;
      }
      return spaces + 1;
    }

    @Override
    public List<float[]> documents(List<String> texts) {
      return texts.stream().map(this::query).toList();
    }

    @Override
    public float[] query(String text) {
      var random = new SplittableRandom(text.hashCode());
      float[] subject = subjects[random.nextInt(subjects.length)];
      float[] vector = new float[dimension];
      for (int i = 0; i < dimension; i++) {
        vector[i] = subject[i] + (float) random.nextGaussian();
      }
      return vector;
    }
  }

  private SearchSpeed() {}

  static int measure(BenchSearch asked) {
    var figures = new LinkedHashMap<String, Object>();
    figures.put("passages", asked.passages);
    figures.put("dimension", asked.dimension);
    try (var folder = TemporaryFolder.of("gatun-bench-search");
        var index = Index.open(folder.path(), RandomVectors.of(asked.dimension))) {
      long start = System.nanoTime();
      var random = new SplittableRandom(2);
      for (int from = 0; from < asked.passages; from += DOCUMENTS_AT_ONCE) {
        int count = Math.min(DOCUMENTS_AT_ONCE, asked.passages - from);
        index.add(documents(random, from, count));
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      figures.put("index_seconds", seconds);
      figures.put("passages_per_second", asked.passages / seconds);
      figures.put("heap_peak_bytes", heapPeak());
      figures.put("disk_bytes", size(folder.path()));
      for (Mode mode : Mode.values()) {
        queries(index, asked.queries, mode, figures);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    print(asked, figures);
    return 0;
  }

  private static List<Document> documents(SplittableRandom random, int from, int count) {
    var all = new ArrayList<Document>();
    for (int i = 0; i < count; i++) {
      all.add(new Document("document " + (from + i), words(random, WORDS_OF_PASSAGE)));
    }
    return all;
  }

  private static String words(SplittableRandom random, int count) {
    var text = new StringBuilder();
    for (int i = 0; i < count; i++) {
      int word = (int) Math.pow(VOCABULARY, random.nextDouble());
      text.append(i == 0 ? "" : " ").append("word").append(word);
    }
    return text.toString();
  }

  private static void queries(Index index, int count, Mode mode, Map<String, Object> into) {
    var random = new SplittableRandom(3);
    long[] nanos = new long[count];
    for (int i = -WARM_UP; i < count; i++) {
      String query = words(random, WORDS_OF_QUERY);
      long start = System.nanoTime();
      index.search(query, o -> o.mode(mode));
      if (i >= 0) {
        nanos[i] = System.nanoTime() - start;
      }
    }
    Arrays.sort(nanos);
    String name = mode.name().toLowerCase(Locale.ROOT);
    into.put(name + "_p50_ms", nanos[count / 2] / 1e6);
    into.put(name + "_p99_ms", nanos[Math.min(count - 1, count * 99 / 100)] / 1e6);
  }

  private static long heapPeak() {
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == MemoryType.HEAP)
        .map(MemoryPoolMXBean::getPeakUsage)
        .mapToLong(usage -> usage.getUsed())
        .sum();
  }

  private static long size(Path folder) throws IOException {
    long sum = 0;
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        sum += Files.size(file);
      }
    }
    return sum;
  }

  static long count(Map<String, Object> figures, String name) {
    return ((Number) figures.get(name)).longValue();
  }

  static double number(Map<String, Object> figures, String name) {
    return ((Number) figures.get(name)).doubleValue();
  }

  private static void print(BenchSearch asked, Map<String, Object> figures) {
    var out = asked.spec.commandLine().getOut();
    if (asked.json) {
      out.println(Json.of(figures));
    } else {
      out.printf("%,d passages, vectors of %d%n", asked.passages, asked.dimension);
      out.printf(
          "indexed in %.1f s, %,.0f a second; heap at most %s, on disk %s%n",
          number(figures, "index_seconds"),
          number(figures, "passages_per_second"),
          Units.bytes(count(figures, "heap_peak_bytes")),
          Units.bytes(count(figures, "disk_bytes")));
      for (String mode : List.of("words", "vectors", "hybrid")) {
        out.printf(
            "%-8s %6.2f ms a query (median), %6.2f ms (P99)%n",
            mode, number(figures, mode + "_p50_ms"), number(figures, mode + "_p99_ms"));
      }
    }
    out.flush();
  }
}
