package io.gatun.server.openai;

import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;

/// OpenAI's API, and what servers of language models have beside it.
public final class OpenAi {
  private OpenAi() {}

  public static void addTo(Routes routes, Models models, Settings settings) {
    new ModelList(models).addTo(routes);
    new Chat(models, settings).addTo(routes);
    new Completions(models, settings).addTo(routes);
    new Embeddings(models).addTo(routes);
    new Images(models, settings).addTo(routes);
    new Rerank(models).addTo(routes);
    new Tokens(models).addTo(routes);
  }
}
