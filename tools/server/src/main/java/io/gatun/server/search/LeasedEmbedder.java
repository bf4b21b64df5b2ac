package io.gatun.server.search;

import io.gatun.models.TextEmbedder;
import io.gatun.search.Embedder;
import io.gatun.server.models.Models;
import io.gatun.server.models.Use;
import java.util.List;
import java.util.function.Function;

/// A model of the server's as an index's embedder: loaded when it is needed, and unloaded as all
/// are.
final class LeasedEmbedder implements Embedder {
  private final Models models;
  private final String name;
  private final int dimension;
  private final int maxTokens;

  LeasedEmbedder(Models models, String name) {
    this.models = models;
    this.name = name;
    dimension = with(Embedder::dimension);
    maxTokens = with(Embedder::maxTokens);
  }

  private <T> T with(Function<Embedder, T> use) {
    try (var lease = models.lease(name, Use.EMBEDDINGS, TextEmbedder.class)) {
      return use.apply(Embedder.of(lease.model(), name));
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int dimension() {
    return dimension;
  }

  @Override
  public int maxTokens() {
    return maxTokens;
  }

  @Override
  public int tokens(String text) {
    return with(embedder -> embedder.tokens(text));
  }

  @Override
  public List<float[]> documents(List<String> texts) {
    return with(embedder -> embedder.documents(texts));
  }

  @Override
  public float[] query(String text) {
    return with(embedder -> embedder.query(text));
  }
}
