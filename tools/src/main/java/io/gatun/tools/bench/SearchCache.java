package io.gatun.tools.bench;

import io.gatun.models.TextEmbedder;
import io.gatun.search.AnswerCache;
import io.gatun.search.AnswerCache.Outcome;
import io.gatun.search.AnswerCache.Scope;
import io.gatun.search.Embedder;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.search.SearchingParts;
import io.gatun.tools.search.TemporaryFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/// What `gatun bench cache` measures.
final class SearchCache {
  /// Wordings of what can be asked of a thing; of each line all have one answer, and no others
  /// have.
  private static final List<List<String>> WORDINGS =
      List.of(
          List.of(
              "How high is the %s?",
              "What is the height of the %s?",
              "How tall is the %s, please?",
              "Tell me how high the %s is."),
          List.of(
              "How old is the %s?",
              "What is the age of the %s?",
              "Since when has there been the %s?",
              "Tell me how old the %s is."),
          List.of(
              "Who built the %s?",
              "Who was the builder of the %s?",
              "By whom was the %s built?",
              "Tell me who built the %s."));

  private static final List<String> KINDS =
      List.of("bridge", "tower", "lighthouse", "dam", "canal", "tunnel", "castle", "harbour");

  private static final List<String> PLACES =
      List.of("Gatun", "Colon", "Balboa", "Chagres", "Miraflores", "Cristobal", "Gamboa", "Ancon");

  private static final Scope SCOPE = new Scope("bench", "", "");

  /// A question of the log, and what tells its answer apart.
  private record Asked(String text, String answer) {}

  private SearchCache() {}

  static int measure(BenchCache asked) {
    try (var model =
        asked.model == null
            ? null
            : TextEmbedder.load(
                ModelNames.find(asked.spec, asked.model), o -> o.threads(asked.threads.count()))) {
      var embedder =
          model == null ? new SearchingParts(512) : Embedder.of(model, asked.model.toString());
      try (var folder = TemporaryFolder.of("gatun-bench-cache");
          var cache =
              AnswerCache.open(folder.path(), embedder, o -> o.wrongHits(asked.wrongHits))) {
        print(asked, embedder, replay(asked, cache));
      }
      return 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, Object> replay(BenchCache asked, AnswerCache cache) {
    var random = new SplittableRandom(7);
    int wrong = 0;
    long searched = 0;
    for (int i = 0; i < asked.questions; i++) {
      var question = question(random);
      long start = System.nanoTime();
      var look = cache.look(SCOPE, question.text);
      searched += System.nanoTime() - start;
      if (asked.explain) {
        asked
            .spec
            .commandLine()
            .getOut()
            .printf("%-8s %s  (%s)%n", look.outcome(), question.text, look.explanation());
      }
      if (look.answer() != null) {
        wrong += look.answer().equals(question.answer) ? 0 : 1;
        continue;
      }
      if (look.outcome() == Outcome.UNSURE) {
        cache.confirm(look, look.likeAnswer().equals(question.answer));
      }
      cache.put(look, question.answer, asked.answerSeconds);
    }
    var statistics = cache.statistics();
    double search = searched / 1e9 / asked.questions;
    long hits = statistics.same() + statistics.similar();
    var figures = new LinkedHashMap<String, Object>();
    figures.put("questions", asked.questions);
    figures.put("same", statistics.same());
    figures.put("similar", statistics.similar());
    figures.put("hits", hits);
    figures.put("asked", statistics.asked());
    figures.put("hit_rate", statistics.hitRate());
    figures.put("wrong", wrong);
    figures.put(
        "wrong_of_similar",
        statistics.similar() == 0 ? 0.0 : (double) wrong / statistics.similar());
    figures.put("bound", asked.wrongHits);
    figures.put("search_ms", 1e3 * search);
    figures.put("answer_seconds", asked.answerSeconds);
    figures.put("saved_seconds", hits * (asked.answerSeconds - search));
    return figures;
  }

  /// Some things are asked of often, and most hardly ever.
  private static Asked question(SplittableRandom random) {
    int things = KINDS.size() * PLACES.size();
    int thing = (int) Math.pow(things, random.nextDouble()) % things;
    int what = random.nextInt(WORDINGS.size());
    String name = KINDS.get(thing % KINDS.size()) + " of " + PLACES.get(thing / KINDS.size());
    var wordings = WORDINGS.get(what);
    String polite = random.nextInt(4) == 0 ? "" : " (" + random.nextInt(1000) + ")";
    String text = wordings.get(random.nextInt(wordings.size())).formatted(name) + polite;
    return new Asked(text, what + " of the " + name);
  }

  private static void print(BenchCache asked, Embedder embedder, Map<String, Object> figures) {
    var out = asked.spec.commandLine().getOut();
    if (asked.json) {
      out.println(Json.of(figures));
    } else {
      out.printf(
          "%,d questions, vectors of %s%n",
          SearchSpeed.count(figures, "questions"), embedder.name());
      out.printf(
          "answered by the cache: %.1f %% (the same question %,d, similar %,d); by a model %,d%n",
          100 * SearchSpeed.number(figures, "hit_rate"),
          SearchSpeed.count(figures, "same"),
          SearchSpeed.count(figures, "similar"),
          SearchSpeed.count(figures, "asked"));
      out.printf(
          "wrong: %,d = %.2f %% of the answers to similar questions (bound %.2f %%)%n",
          SearchSpeed.count(figures, "wrong"),
          100 * SearchSpeed.number(figures, "wrong_of_similar"),
          100 * asked.wrongHits);
      out.printf(
          "saved: hits x (answer - search) = %,d x (%.2f s - %.2f ms) = %,.0f s%n",
          SearchSpeed.count(figures, "hits"),
          SearchSpeed.number(figures, "answer_seconds"),
          SearchSpeed.number(figures, "search_ms"),
          SearchSpeed.number(figures, "saved_seconds"));
    }
    out.flush();
  }
}
