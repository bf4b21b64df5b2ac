package io.gatun.tests.search;

import io.gatun.search.Index;
import java.nio.file.Path;

/// A process that is killed while it indexes a folder.
final class Indexing {
  private Indexing() {}

  public static void main(String[] args) {
    try (var index =
        Index.open(
            Path.of(args[0]),
            WordEmbedder.OF_64,
            o -> o.chunkTokens(16).progress(report -> System.out.println(report.chunks())))) {
      index.update(Path.of(args[1]));
    }
  }
}
