package io.gatun.tools.search;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.search.AnswerCache;
import io.gatun.search.AnswerCache.Look;
import io.gatun.search.AnswerCache.Outcome;
import io.gatun.search.AnswerCache.Scope;
import io.gatun.search.Embedder;
import io.gatun.search.Index;
import io.gatun.tools.console.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/// Answers of `gatun ask` that are given again.
final class SearchingCache implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Options that change no answer, or whose values are told apart in another way.
  private static final Set<String> BESIDE =
      Set.of("--cache", "--wrong-hits", "--explain", "--json", "--index", "--model", "--debug");

  private final Ask asked;
  private final AnswerCache cache;
  private final Look look;
  private final long start = System.nanoTime();

  private SearchingCache(Ask asked, AnswerCache cache, Look look) {
    this.asked = asked;
    this.cache = cache;
    this.look = look;
  }

  /// Looks for an answer.
  ///
  /// @param embedder for similar questions; null for none
  static SearchingCache open(Ask asked, Path index, Embedder embedder) {
    if (asked.wrongHits != 0 && embedder == null) {
      throw new ParameterException(
          asked.spec.commandLine(),
          "--wrong-hits compares questions by vectors, and the index has no embedder; make it with"
              + " gatun index --model");
    }
    var cache = AnswerCache.open(asked.cache, embedder, o -> o.wrongHits(asked.wrongHits));
    try {
      return new SearchingCache(asked, cache, cache.look(scope(asked, index), asked.question));
    } catch (RuntimeException | Error e) {
      cache.close();
      throw e;
    }
  }

  private static Scope scope(Ask asked, Path folder) {
    long version;
    try (var index = Index.open(folder, null)) {
      version = index.version();
    }
    var options = new TreeMap<String, String>();
    for (OptionSpec option : asked.spec.commandLine().getParseResult().matchedOptions()) {
      if (!BESIDE.contains(option.longestName())) {
        options.put(option.longestName(), option.stringValues().toString());
      }
    }
    String documents = folder.toAbsolutePath().normalize() + " as of change " + version;
    return new Scope(weights(asked.model.path()), "", documents + " " + options);
  }

  /// What tells a model's files apart from others without reading them.
  private static String weights(Path model) {
    var files = new TreeMap<String, String>();
    try (var all = Files.walk(model)) {
      for (Path file : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
        files.put(file.toString(), Files.size(file) + " " + Files.getLastModifiedTime(file));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return model.toAbsolutePath().normalize() + " " + files;
  }

  /// The answer's `text`, its `sources`, and why it is given; null if a model has to be asked.
  Map<String, Object> answer() {
    if (look.answer() == null) {
      return null;
    }
    var map = new LinkedHashMap<>(read(look.answer()));
    map.put("cached", look.outcome().name().toLowerCase(Locale.ROOT));
    if (look.outcome() == Outcome.SIMILAR) {
      map.put("cached_question", look.like());
    }
    return map;
  }

  private static Map<String, Object> read(String answer) {
    try {
      return JSON.readValue(answer, new TypeReference<>() {});
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the cache holds answers of another program", e);
    }
  }

  /// Keeps what a model answered. If it is what it answered to a similar question, word for word,
  /// the two are known to be alike; if not, they are taken for different.
  void put(String text, List<Map<String, Object>> sources) {
    if (look.outcome() == Outcome.UNSURE) {
      cache.confirm(look, text.equals(read(look.likeAnswer()).get("text")));
    }
    var map = new LinkedHashMap<String, Object>();
    map.put("text", text);
    map.put("sources", sources);
    cache.put(look, Json.of(map), (System.nanoTime() - start) / 1e9);
  }

  @Override
  public void close() {
    if (asked.explain) {
      var all = cache.all();
      asked
          .spec
          .commandLine()
          .getErr()
          .printf(
              "cache: %s%ncache: %,d of %,d questions answered by it (%.1f %%), %.1f s saved%n",
              look.explanation(),
              all.same() + all.similar(),
              all.same() + all.similar() + all.asked(),
              100 * all.hitRate(),
              all.savedSeconds());
    }
    cache.close();
  }
}
