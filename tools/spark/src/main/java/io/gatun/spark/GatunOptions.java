package io.gatun.spark;

import java.io.Serializable;

/// Which model computes a column, and how: `o -> o.model("/models/bge-small").threads(4)`. It
/// travels to the executors.
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

  GatunOptions() {}

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
    return this;
  }

  /// Language models: the most answers that are written at once; by default 8.
  public GatunOptions parallel(int value) {
    parallel = atLeast("parallel", value, 1);
    return this;
  }

  /// Language models: the most bytes that answers' caches take in an executor; by default 2 GiB.
  public GatunOptions memory(long value) {
    if (value < 1) {
      throw new IllegalArgumentException("memory is " + value + "; need at least 1 byte");
    }
    memory = value;
    return this;
  }

  /// The most tokens of an answer; by default 256.
  public GatunOptions maxTokens(int value) {
    maxTokens = atLeast("maxTokens", value, 1);
    return this;
  }

  /// By default 0.8; with 0 the likeliest token is taken each time.
  public GatunOptions temperature(double value) {
    temperature = value;
    return this;
  }

  public GatunOptions topP(double value) {
    topP = value;
    return this;
  }

  public GatunOptions topK(int value) {
    topK = value;
    return this;
  }

  public GatunOptions minP(double value) {
    minP = value;
    return this;
  }

  /// Texts that end an answer, and are no part of it.
  public GatunOptions stop(String... value) {
    stop = value.clone();
    return this;
  }

  /// What a conversation begins with.
  public GatunOptions system(String value) {
    system = value;
    return this;
  }

  /// The JSON schema that answers follow to the letter.
  public GatunOptions schema(String value) {
    schema = value;
    return this;
  }

  /// Embeddings: the name of the words before each text, such as `query`; by default the model's.
  public GatunOptions prompt(String value) {
    prompt = value;
    return this;
  }

  /// Embeddings: whether texts that are too long are cut; by default they are errors.
  public GatunOptions truncate(boolean value) {
    truncate = value;
    return this;
  }

  /// Embeddings: how many texts are computed together; by default 32.
  public GatunOptions batch(int value) {
    batch = atLeast("batch", value, 1);
    return this;
  }

  /// Masks: how many points a side of the grid has that is asked for masks; by default 32.
  public GatunOptions pointsPerSide(int value) {
    pointsPerSide = atLeast("pointsPerSide", value, 1);
    return this;
  }

  /// Pictures: the scheduler's steps; by default the model's.
  public GatunOptions steps(int value) {
    steps = atLeast("steps", value, 1);
    return this;
  }

  /// Pictures: how closely they follow the prompt.
  public GatunOptions guidance(double value) {
    guidance = value;
    return this;
  }

  /// Pictures: their size in pixels.
  public GatunOptions size(int newWidth, int newHeight) {
    width = newWidth;
    height = newHeight;
    return this;
  }

  /// Pictures: what they should not show.
  public GatunOptions negative(String value) {
    negative = value;
    return this;
  }

  /// From this, the number of a row's partition and its place there comes the row's own seed, so
  /// that a task that is run again gives the same rows; by default 0.
  public GatunOptions seed(long value) {
    seed = value;
    return this;
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
