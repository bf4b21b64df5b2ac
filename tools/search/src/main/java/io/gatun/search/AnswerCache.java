package io.gatun.search;

import io.gatun.search.Settings.Kind;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/// Answers that were given once, for the same question and, by choice, for similar ones.
///
/// ```java
/// var asked = cache.look(new Scope(model, system, "temperature=0"), question);
/// String answer = asked.answer();
/// if (answer == null) {
///   answer = model.generate(question);
///   cache.put(asked, answer, seconds);
/// }
/// ```
///
/// Answers of other models, system prompts or parameters are never given. A similar question's
/// answer is given where no more than [CacheOptions#wrongHits] of such answers are expected to be
/// wrong, as it is learned for each cluster of questions from pairs of which someone said whether
/// one answer fits both: [#confirm]. Until enough pairs are known none is given.
///
/// What is put is there when the method returns, whatever becomes of the process. One process has a
/// cache open at a time. Any thread may use it.
public final class AnswerCache implements AutoCloseable {
  /// Below it, questions are of different clusters. It decides which pairs tell of which questions,
  /// and of no answer.
  private static final double CLUSTER = 0.5;

  /// What an answer depends on beside the question.
  ///
  /// @param model its name, or better what tells its weights apart
  /// @param system the system prompt; empty for none
  /// @param parameters all else that changes answers: sampling, length, documents
  public record Scope(String model, String system, String parameters) {
    /// @throws NullPointerException if one is null
    public Scope {
      Objects.requireNonNull(model, "the model is null");
      Objects.requireNonNull(system, "the system prompt is null");
      Objects.requireNonNull(parameters, "the parameters are null");
    }

    String key() {
      String all = model.length() + ":" + model + system.length() + ":" + system + parameters;
      return Hashes.of(all.getBytes(StandardCharsets.UTF_8));
    }
  }

  /// What became of a question.
  public enum Outcome {
    /// The same question was answered before.
    SAME,
    /// The answer to a similar question is given.
    SIMILAR,
    /// There is a similar question, but too little is known of such pairs to give its answer.
    UNSURE,
    /// There is no question like it.
    NEW
  }

  /// What the cache has for a question.
  public static final class Look {
    private final Outcome outcome;
    private final AnswerStore.Entry near;
    private final String explanation;
    private final String scope;
    private final String question;
    private final float[] vector;

    private Look(
        Outcome outcome,
        AnswerStore.Entry near,
        String explanation,
        String scope,
        String question,
        float[] vector) {
      this.outcome = outcome;
      this.near = near;
      this.explanation = explanation;
      this.scope = scope;
      this.question = question;
      this.vector = vector;
    }

    public Outcome outcome() {
      return outcome;
    }

    /// The answer to give; null if a model has to be asked.
    public String answer() {
      return outcome == Outcome.SAME || outcome == Outcome.SIMILAR ? near.answer() : null;
    }

    /// The question that is most similar, of those that were asked before; null if none is.
    public String like() {
      return near == null ? null : near.question();
    }

    /// Its answer; null if there is none.
    public String likeAnswer() {
      return near == null ? null : near.answer();
    }

    /// The cosine of the two questions' vectors; 0 if there is none like it.
    public double similarity() {
      return near == null ? 0 : near.similarity();
    }

    /// Why, in words.
    public String explanation() {
      return explanation;
    }
  }

  /// What the cache was good for since it was opened.
  ///
  /// @param same answers to the same question
  /// @param similar answers to similar questions
  /// @param asked questions that a model had to answer
  /// @param savedSeconds that the answers took when they were made
  public record Statistics(long same, long similar, long asked, double savedSeconds) {
    /// The share of questions that were answered.
    public double hitRate() {
      long all = same + similar + asked;
      return all == 0 ? 0 : (double) (same + similar) / all;
    }
  }

  private final AnswerStore store;
  private final Embedder embedder;
  private final double bound;
  private final Map<String, WrongHits> clusters = new HashMap<>();
  private Statistics statistics = new Statistics(0, 0, 0, 0);

  private AnswerCache(AnswerStore store, Embedder embedder, double bound) {
    this.store = store;
    this.embedder = embedder;
    this.bound = bound;
    store.pairs((cluster, similarity, same) -> cluster(cluster).add(similarity, same));
  }

  /// Opens the cache in a folder, or makes one there.
  ///
  /// @param embedder for similar questions; null if only the same ones count
  /// @throws IllegalArgumentException if similar questions are to count, and there is no embedder
  /// @throws SearchException if the folder holds something else, or another process has it open, or
  ///   it was made with another embedder
  public static AnswerCache open(Path folder, Embedder embedder, Consumer<CacheOptions> choose) {
    var options = new CacheOptions();
    choose.accept(options);
    if (options.wrongHits > 0 && embedder == null) {
      throw new IllegalArgumentException(
          "answers to similar questions are asked for; need an embedder that says what is similar");
    }
    var made =
        embedder == null
            ? new Settings(Kind.ANSWERS, "", 0, 0, 0, new float[0])
            : new Settings(
                Kind.ANSWERS,
                embedder.name(),
                embedder.dimension(),
                0,
                0,
                Settings.sampleOf(embedder));
    return new AnswerCache(AnswerStore.open(folder, made, embedder), embedder, options.wrongHits);
  }

  private WrongHits cluster(String id) {
    return clusters.computeIfAbsent(id, key -> new WrongHits());
  }

  /// Looks for an answer.
  ///
  /// @throws IllegalArgumentException if the question is empty, or too long for the embedder
  public synchronized Look look(Scope scope, String question) {
    if (question.isBlank()) {
      throw new IllegalArgumentException("the question is empty; need what to answer");
    }
    String key = scope.key();
    var same = store.same(key, question);
    if (same != null) {
      count(1, 0, 0, same.seconds());
      String why = "the same question was answered before";
      return new Look(Outcome.SAME, same, why, key, question, null);
    }
    float[] vector = bound == 0 ? null : Vectors.unit(embedder.query(question));
    var near = vector == null ? null : store.nearest(key, vector);
    if (near == null || near.similarity() < CLUSTER) {
      count(0, 0, 1, 0);
      String why =
          bound == 0
              ? "this very question was not asked before, and no other counts"
              : "no question like it was asked before";
      return new Look(Outcome.NEW, near, why, key, question, vector);
    }
    var known = cluster(near.cluster());
    boolean gives = known.isSure(near.similarity(), bound);
    count(0, gives ? 1 : 0, gives ? 0 : 1, gives ? near.seconds() : 0);
    return new Look(
        gives ? Outcome.SIMILAR : Outcome.UNSURE,
        near,
        explanation(near, known),
        key,
        question,
        vector);
  }

  private String explanation(AnswerStore.Entry near, WrongHits known) {
    return String.format(
        Locale.ROOT,
        "similarity %.4f to \"%s\"; by the %d pairs that are known of its cluster, %.1f %% or more"
            + " of such questions have its answer; it is given where %.1f %% or fewer are wrong",
        near.similarity(),
        near.question(),
        known.size(),
        100 * known.right(near.similarity(), bound),
        100 * bound);
  }

  private void count(int same, int similar, int asked, double seconds) {
    statistics =
        new Statistics(
            statistics.same + same,
            statistics.similar + similar,
            statistics.asked + asked,
            statistics.savedSeconds + seconds);
  }

  /// Keeps an answer that had to be made.
  ///
  /// @param look what was found instead
  /// @param seconds that it took
  public synchronized void put(Look look, String answer, double seconds) {
    String cluster =
        look.near != null && look.near.similarity() >= CLUSTER
            ? look.near.cluster()
            : AnswerStore.key(look.scope, look.question);
    store.put(look.scope, look.question, look.vector, answer, seconds, cluster);
  }

  /// Learns whether the answer to the similar question fits this one, too: what was
  /// [Outcome#UNSURE], once a model has answered it. Pairs whose answer was given are not learned
  /// from, since those that look surest would be counted most.
  ///
  /// @return whether it was learned from
  public synchronized boolean confirm(Look look, boolean same) {
    if (look.outcome != Outcome.UNSURE) {
      return false;
    }
    var near = look.near;
    cluster(near.cluster()).add(near.similarity(), same);
    store.pair(near.cluster(), near.similarity(), same);
    return true;
  }

  /// What it was good for since it was opened.
  public synchronized Statistics statistics() {
    return statistics;
  }

  /// The number of answers.
  public int size() {
    return store.size();
  }

  @Override
  public synchronized void close() {
    store.close();
  }
}
