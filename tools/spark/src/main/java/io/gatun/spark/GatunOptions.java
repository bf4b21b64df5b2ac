package io.gatun.spark;

import io.gatun.models.chat.AnswerOptions;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.Request;
import java.io.Serializable;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// Which model computes a column, and how: `o -> o.model("/models/bge-small").threads(4)`. What a
/// function does not use it refuses. It travels to the executors.
public final class GatunOptions implements Serializable {
  private static final long serialVersionUID = 1;

  String model;
  int threads;
  int context;
  int parallel = 8;
  long memory = 2L << 30;
  int maxTokens = 256;
  double temperature = 0.8;
  Double topP;
  Integer topK;
  Double minP;
  String[] stop = {};
  String system;
  String schema;
  String prompt;
  boolean truncate;
  int batch = 32;
  int pointsPerSide = 32;
  Integer steps;
  Double guidance;
  Integer width;
  Integer height;
  String negative;
  long seed;
  GatunMetrics metrics;

  /// What was set, and the tasks that use it.
  private final transient Map<String, Set<Task>> given = new LinkedHashMap<>();

  GatunOptions() {}

  private GatunOptions usedBy(String name, Task... tasks) {
    given.put(name, EnumSet.copyOf(List.of(tasks)));
    return this;
  }

  /// @throws IllegalArgumentException if something is set that a task does not use, or that makes
  ///   no sense whatever the row
  void check(Task task) {
    given.forEach(
        (name, tasks) -> {
          if (!tasks.contains(task)) {
            throw new IllegalArgumentException(
                "%s (--%s) is set, which %s does not use; it is for %s"
                    .formatted(
                        name,
                        name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT),
                        task.words(),
                        tasks.stream().map(Task::words).collect(Collectors.joining(", "))));
          }
        });
    request(new int[] {0}, 0);
    constraint();
  }

  Request request(int[] prompt, long rowSeed) {
    return new AnswerOptions(
            temperature,
            topP,
            topK,
            minP,
            null,
            null,
            null,
            rowSeed,
            maxTokens,
            List.of(stop),
            null)
        .request(prompt);
  }

  /// What answers are like; null for anything.
  Constraint constraint() {
    return schema == null ? null : Constraint.jsonSchema(schema);
  }

  /// A path that all executors see, a name as the command line takes it, or what [Gatun#stage]
  /// returns.
  public GatunOptions model(String value) {
    model = value;
    return this;
  }

  /// The threads that an executor's model computes with; by default one for each of the executor's
  /// cores, whose tasks share the model.
  public GatunOptions threads(int value) {
    threads = atLeast("threads", value, 1);
    return this;
  }

  /// Language models: the most tokens of a prompt and its answer; by default what the model has.
  public GatunOptions context(int value) {
    context = atLeast("context", value, 1);
    return usedBy("context", Task.COMPLETE, Task.CHAT, Task.PERPLEXITY);
  }

  /// Language models: the most answers that are written at once; by default 8.
  public GatunOptions parallel(int value) {
    parallel = atLeast("parallel", value, 1);
    return usedBy("parallel", Task.COMPLETE, Task.CHAT);
  }

  /// Language models: the most bytes that answers' caches take in an executor; by default 2 GiB.
  public GatunOptions memory(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("memory is " + value + "; need at least 1 byte");
    }
    memory = value;
    return usedBy("memory", Task.COMPLETE, Task.CHAT);
  }

  /// The most tokens of an answer; by default 256.
  public GatunOptions maxTokens(int value) {
    maxTokens = atLeast("maxTokens", value, 1);
    return usedBy("maxTokens", Task.COMPLETE, Task.CHAT);
  }

  /// By default 0.8; with 0 the likeliest token is taken each time.
  public GatunOptions temperature(double value) {
    temperature = value;
    return usedBy("temperature", Task.COMPLETE, Task.CHAT);
  }

  public GatunOptions topP(double value) {
    topP = value;
    return usedBy("topP", Task.COMPLETE, Task.CHAT);
  }

  public GatunOptions topK(int value) {
    topK = value;
    return usedBy("topK", Task.COMPLETE, Task.CHAT);
  }

  public GatunOptions minP(double value) {
    minP = value;
    return usedBy("minP", Task.COMPLETE, Task.CHAT);
  }

  /// Texts that end an answer, and are no part of it.
  public GatunOptions stop(String... value) {
    stop = value.clone();
    return usedBy("stop", Task.COMPLETE, Task.CHAT);
  }

  /// What a conversation begins with.
  public GatunOptions system(String value) {
    system = value;
    return usedBy("system", Task.CHAT);
  }

  /// The JSON schema that answers follow to the letter.
  public GatunOptions schema(String value) {
    schema = value;
    return usedBy("schema", Task.COMPLETE, Task.CHAT);
  }

  /// Embeddings: the name of the words before each text, such as `query`; by default the model's.
  public GatunOptions prompt(String value) {
    prompt = value;
    return usedBy("prompt", Task.EMBED);
  }

  /// Embeddings: whether texts that are too long are cut; by default they are errors.
  public GatunOptions truncate(boolean value) {
    truncate = value;
    return usedBy("truncate", Task.EMBED);
  }

  /// Embeddings: how many texts are computed together; by default 32.
  public GatunOptions batch(int value) {
    batch = atLeast("batch", value, 1);
    return usedBy("batch", Task.EMBED);
  }

  /// Masks: how many points a side of the grid has that is asked for masks; by default 32.
  public GatunOptions pointsPerSide(int value) {
    pointsPerSide = atLeast("pointsPerSide", value, 1);
    return usedBy("pointsPerSide", Task.SEGMENT);
  }

  /// Pictures: the scheduler's steps; by default the model's.
  public GatunOptions steps(int value) {
    steps = atLeast("steps", value, 1);
    return usedBy("steps", Task.IMAGINE);
  }

  /// Pictures: how closely they follow the prompt.
  public GatunOptions guidance(double value) {
    guidance = value;
    return usedBy("guidance", Task.IMAGINE);
  }

  /// Pictures: their size in pixels.
  public GatunOptions size(int newWidth, int newHeight) {
    width = newWidth;
    height = newHeight;
    return usedBy("size", Task.IMAGINE);
  }

  /// Pictures: what they should not show.
  public GatunOptions negative(String value) {
    negative = value;
    return usedBy("negative", Task.IMAGINE);
  }

  /// From this, the number of a row's partition and its place there comes the row's own seed, so
  /// that a task that is run again gives the same rows; by default 0.
  public GatunOptions seed(long value) {
    seed = value;
    return usedBy("seed", Task.COMPLETE, Task.CHAT, Task.IMAGINE);
  }

  /// Counts what is done.
  public GatunOptions metrics(GatunMetrics value) {
    metrics = value;
    return this;
  }

  /// A seed for a row, which no other has.
  long seed(int partition, long row) {
    long mixed = seed;
    for (long part : new long[] {partition, row}) {
      mixed = (mixed ^ part) + 0x9E3779B97F4A7C15L;
      mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
      mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
      mixed ^= mixed >>> 31;
    }
    return mixed;
  }

  private static int atLeast(String name, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(
          "%s is %d; need at least %d".formatted(name, value, least));
    }
    return value;
  }
}
