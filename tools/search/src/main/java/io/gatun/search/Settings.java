package io.gatun.search;

import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/// What an index was made with, as it is written with every commit.
///
/// @param kind what is in it
/// @param embedder the name of the model that made the vectors; empty if there are none
/// @param dimension the length of the vectors; 0 if there are none
/// @param chunkTokens the most tokens of a chunk
/// @param overlapTokens the most tokens that neighbours share
/// @param sample the vector of one text, by which the model is known again wherever it lies; empty
///   if there are none
@SuppressWarnings("ArrayRecordComponent") // never compared
record Settings(
    Kind kind, String embedder, int dimension, int chunkTokens, int overlapTokens, float[] sample) {
  /// What a folder of Lucene's is for.
  enum Kind {
    DOCUMENTS("an index of documents; search it with gatun ask"),
    PICTURES("an index of pictures; search it with gatun search-images"),
    ANSWERS("a cache of answers");

    private final String description;

    Kind(String description) {
      this.description = description;
    }
  }

  private static final String SAMPLE_TEXT = "Ships rise through the locks of Gatun to the lake.";

  /// What another type of numbers, or other kernels, may change in a direction.
  private static final double SAME = 0.98;

  private static final String FORMAT = "gatun.format";
  private static final String VERSION = "1";

  Map<String, String> toMap() {
    return Map.of(
        FORMAT,
        VERSION,
        "kind",
        kind.name(),
        "embedder",
        embedder,
        "dimension",
        Integer.toString(dimension),
        "chunk-tokens",
        Integer.toString(chunkTokens),
        "overlap-tokens",
        Integer.toString(overlapTokens),
        "sample",
        text(sample));
  }

  private static String text(float[] numbers) {
    var bytes = ByteBuffer.allocate(Float.BYTES * numbers.length);
    bytes.asFloatBuffer().put(numbers);
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  private static float[] numbers(String text) {
    byte[] bytes = Base64.getDecoder().decode(text);
    float[] numbers = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).asFloatBuffer().get(numbers);
    return numbers;
  }

  /// What an embedder makes of one text.
  static float[] sampleOf(Embedder embedder) {
    return Vectors.unit(embedder.documents(List.of(SAMPLE_TEXT)).getFirst());
  }

  /// What an embedder makes of one text.
  static float[] sampleOf(ImageEmbedder embedder) {
    return Vectors.unit(embedder.text(SAMPLE_TEXT));
  }

  /// Whether it is the embedder that the index was made with.
  boolean areOf(Embedder other) {
    return other.dimension() == dimension && areLike(sampleOf(other));
  }

  /// Whether it is the embedder that the index was made with.
  boolean areOf(ImageEmbedder other) {
    return other.dimension() == dimension && areLike(sampleOf(other));
  }

  private boolean areLike(float[] other) {
    return Vectors.dot(other, sample) >= SAME;
  }

  /// Refuses a folder for something else.
  ///
  /// @throws SearchException if it is for something else
  void require(Kind needed, Object where) {
    if (kind != needed) {
      throw new SearchException(
          "%s: is %s; choose another folder".formatted(where, kind.description));
    }
  }

  /// @param where for messages
  static Settings of(Object where, Map<String, String> map) {
    if (!VERSION.equals(map.get(FORMAT))) {
      throw new SearchException(
          map.get(FORMAT) == null
              ? where + ": is an index of Lucene, but not one of Gatun; choose another folder"
              : "%s: is an index of format %s; this Gatun reads format %s. Make it anew with gatun index"
                  .formatted(where, map.get(FORMAT), VERSION));
    }
    return new Settings(
        kind(map),
        map.get("embedder"),
        Integer.parseInt(map.get("dimension")),
        Integer.parseInt(map.get("chunk-tokens")),
        Integer.parseInt(map.get("overlap-tokens")),
        numbers(map.get("sample")));
  }

  /// The first indexes did not say it.
  private static Kind kind(Map<String, String> map) {
    String name = map.get("kind");
    boolean chunks = !"0".equals(map.get("chunk-tokens"));
    return name != null ? Kind.valueOf(name) : chunks ? Kind.DOCUMENTS : Kind.ANSWERS;
  }

  boolean hasVectors() {
    return dimension > 0;
  }
}
