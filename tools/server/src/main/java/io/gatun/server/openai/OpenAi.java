package io.gatun.server.openai;

import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;
import io.gatun.server.text.Library;

/// OpenAI's API, and what servers of language models have beside it.
public final class OpenAi {
  private OpenAi() {}

  /// Adds all that is asked of language models, embedders, rerankers and image models.
  ///
  /// @param documents that chat answers from; null for none
  public static void addTo(Routes routes, Models models, Settings settings, Library documents) {
    new ModelList(models).addTo(routes);
    new Chat(models, settings, documents).addTo(routes);
    new Completions(models, settings).addTo(routes);
    new Embeddings(models).addTo(routes);
    new Images(models, settings).addTo(routes);
    new Rerank(models).addTo(routes);
    new Tokens(models).addTo(routes);
  }
}
