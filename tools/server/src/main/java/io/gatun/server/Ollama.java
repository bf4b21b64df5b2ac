package io.gatun.server;

/// Ollama's API.
final class Ollama {
  static final String PREFIX = "/api/";

  private Ollama() {}
}
