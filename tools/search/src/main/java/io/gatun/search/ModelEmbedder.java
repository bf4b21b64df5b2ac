package io.gatun.search;

import io.gatun.models.TextEmbedder;
import java.util.List;

/// A [TextEmbedder] with the prompts for queries and documents.
final class ModelEmbedder implements Embedder {
  private final TextEmbedder model;
  private final String name;
  private final String queryPrompt;
  private final String documentPrompt;
  private final int maxTokens;

  ModelEmbedder(TextEmbedder model, String name) {
    this.model = model;
    this.name = name;
    var prompts = model.prompts().keySet();
    queryPrompt = prompts.contains("query") ? "query" : model.defaultPrompt();
    documentPrompt =
        prompts.contains("document") ? "document" : prompts.contains("passage") ? "passage" : null;
    // What stands around each text, its prompt included.
    int around = model.encode(List.of("a"), documentPrompt).getFirst().length - tokens("a");
    maxTokens = model.maxTokens() - around;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int dimension() {
    return model.dimension();
  }

  @Override
  public int maxTokens() {
    return maxTokens;
  }

  @Override
  public int tokens(String text) {
    return model.tokenizer().encode(text, false, false).length;
  }

  @Override
  public List<float[]> documents(List<String> texts) {
    // What is cut is one word that has more tokens than the model reads: chunks end between words.
    return List.of(model.embedTokens(model.encode(texts, documentPrompt, cut -> {})));
  }

  @Override
  public float[] query(String text) {
    return model.embed(List.of(text), queryPrompt)[0];
  }
}
