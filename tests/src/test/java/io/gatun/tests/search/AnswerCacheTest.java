package io.gatun.tests.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.search.AnswerCache;
import io.gatun.search.AnswerCache.Outcome;
import io.gatun.search.AnswerCache.Scope;
import io.gatun.search.Embedder;
import io.gatun.search.SearchException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Answers that are given again: to the same question, and to similar ones within a bound.
class AnswerCacheTest {
  private static final Scope SCOPE = new Scope("model", "system", "temperature=0");

  @TempDir private Path temp;

  private static void answer(AnswerCache cache, Scope scope, String question) {
    var look = cache.look(scope, question);
    assertNull(look.answer(), question);
    cache.put(look, "answer to " + question, 2);
  }

  @Test
  void onlyTheSameQuestion() {
    try (var cache = AnswerCache.open(temp.resolve("cache"), null, o -> {})) {
      answer(cache, SCOPE, "What is rain?");
      assertEquals(Outcome.NEW, cache.look(SCOPE, "what is rain?").outcome());
      var again = cache.look(SCOPE, "What is rain?");
      assertEquals(Outcome.SAME, again.outcome());
      assertEquals("answer to What is rain?", again.answer());
      for (var other :
          List.of(
              new Scope("model2", "system", "temperature=0"),
              new Scope("model", "", "temperature=0"),
              new Scope("models", "ystem", "temperature=0"),
              new Scope("model", "system", "temperature=1"))) {
        assertEquals(Outcome.NEW, cache.look(other, "What is rain?").outcome(), other.toString());
      }
      assertEquals(1 / 7.0, cache.statistics().hitRate(), 1e-9);
      assertEquals(2, cache.statistics().savedSeconds());
    }
    try (var cache = AnswerCache.open(temp.resolve("cache"), null, o -> {})) {
      // It is known what it was good for before.
      assertEquals(1 / 7.0, cache.all().hitRate(), 1e-9);
      assertEquals("answer to What is rain?", cache.look(SCOPE, "What is rain?").answer());
      assertEquals(2 / 8.0, cache.all().hitRate(), 1e-9);
      assertEquals(4, cache.all().savedSeconds());
      assertEquals(1, cache.size());
      var second = temp.resolve("cache");
      assertThrows(SearchException.class, () -> AnswerCache.open(second, null, o -> {}));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> AnswerCache.open(temp.resolve("other"), null, o -> o.wrongHits(0.01)));
  }

  /// Questions are "SUBJECT:PARAPHRASE": the nearer two vectors, the likelier one answer fits both.
  private record Paraphrases(int dimension) implements Embedder {
    @Override
    public String name() {
      return "paraphrases";
    }

    @Override
    public int maxTokens() {
      return 512;
    }

    @Override
    public int tokens(String text) {
      return text.length();
    }

    @Override
    public List<float[]> documents(List<String> texts) {
      return texts.stream().map(this::query).toList();
    }

    @Override
    public float[] query(String text) {
      float[] vector = new float[dimension];
      // Subjects come in pairs that are hard to tell apart.
      String subject = text.replaceFirst(":.*", "");
      int number = subject.hashCode();
      add(vector, number / 2, 1);
      add(vector, number, 0.35f);
      add(vector, text.hashCode() * 31, 0.35f);
      return vector;
    }

    private static void add(float[] vector, long seed, float size) {
      var random = new SplittableRandom(seed);
      for (int i = 0; i < vector.length; i++) {
        vector[i] += (float) (size * random.nextGaussian());
      }
    }
  }

  @Test
  void similarQuestionsWithinTheBound() {
    double bound = 0.1;
    var random = new SplittableRandom(5);
    int similar = 0;
    int wrong = 0;
    int unsure = 0;
    int questions = 800;
    try (var cache =
        AnswerCache.open(temp.resolve("cache"), new Paraphrases(64), o -> o.wrongHits(bound))) {
      for (int i = 0; i < questions; i++) {
        String subject = "s" + random.nextInt(4);
        var look = cache.look(SCOPE, subject + ":" + i);
        if (look.outcome() == Outcome.SIMILAR) {
          similar++;
          wrong += look.answer().equals(subject) ? 0 : 1;
          assertFalse(cache.confirm(look, true), "what was given is not learned from");
          continue;
        }
        if (look.outcome() == Outcome.UNSURE) {
          unsure++;
          assertTrue(cache.confirm(look, look.likeAnswer().equals(subject)));
          if (unsure % 10 > 0) {
            continue;
          }
        }
        cache.put(look, subject, 1);
      }
      assertEquals(similar, cache.statistics().similar());
    }
    assertTrue(similar > questions / 4, similar + " of " + questions + ", unsure " + unsure);
    assertTrue(unsure > 20, "it has to learn first");
    assertTrue(wrong <= bound * similar, wrong + " of " + similar);
    // What it has learned is kept.
    try (var cache =
        AnswerCache.open(temp.resolve("cache"), new Paraphrases(64), o -> o.wrongHits(bound))) {
      int given = 0;
      for (int i = 0; i < 50; i++) {
        given += cache.look(SCOPE, "s1:again" + i).answer() == null ? 0 : 1;
      }
      assertTrue(given > 25, given + " of 50");
      assertTrue(cache.look(SCOPE, "s1:why").explanation().contains("10.0 %"));
    }
  }
}
