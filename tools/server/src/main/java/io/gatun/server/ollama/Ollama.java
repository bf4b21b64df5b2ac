package io.gatun.server.ollama;

import io.gatun.server.http.Routes;
import io.gatun.server.http.Settings;
import io.gatun.server.models.Models;

/// Ollama's API.
public final class Ollama {
  private Ollama() {}

  public static void addTo(Routes routes, Models models, Settings settings) {
    new OllamaAnswers(models, settings).addTo(routes);
    new OllamaEmbeddings(models).addTo(routes);
    new OllamaModels(models).addTo(routes);
  }
}
