package io.gatun.tests.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.search.Index;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.search.Source;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/// A process that is killed in the middle leaves an index that opens, and nothing twice.
@Execution(ExecutionMode.CONCURRENT)
class KilledTest {
  private static final int FILES = 600;

  @TempDir private Path temp;

  @Test
  @Timeout(120)
  void goesOnWhereItWasKilled() throws Exception {
    Path docs = Files.createDirectory(temp.resolve("docs"));
    for (int i = 0; i < FILES; i++) {
      Files.writeString(docs.resolve(i + ".txt"), ("file" + i + " has some words. ").repeat(100));
    }
    Path folder = temp.resolve("index");
    // Before the first commit, and behind the second.
    for (int killAt : new int[] {512, 9_000}) {
      kill(folder, docs, killAt);
    }
    try (var index = Index.open(folder, WordEmbedder.OF_64)) {
      int there = index.size();
      assertTrue(there > 0 && there < FILES, there + " documents were committed");
      var report = index.update(docs);
      assertEquals(there, report.unchanged());
      assertEquals(FILES - there, report.added());
      assertEquals(FILES, index.size());
      int each = index.sources("", 1).getFirst().chunks();
      assertTrue(each > 20, each + " chunks of a file");
      long sum = index.sources("", FILES).stream().mapToInt(Source::chunks).sum();
      assertEquals(sum, index.chunks());
      for (int i = 0; i < FILES; i += 50) {
        var starts = new HashSet<Integer>();
        String word = "file" + i;
        for (var passage : index.search(word, o -> o.count(1000).mode(Mode.WORDS))) {
          assertTrue(starts.add(passage.start()), "twice: " + passage);
        }
        assertTrue(starts.size() > 20, word);
      }
    }
  }

  private static void kill(Path folder, Path docs, int chunks) throws Exception {
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var process =
        new ProcessBuilder(
                java,
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                Indexing.class.getName(),
                folder.toString(),
                docs.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
      String line = lines.readLine();
      while (line != null && Integer.parseInt(line) < chunks) {
        line = lines.readLine();
      }
    } finally {
      process.destroyForcibly();
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    }
  }
}
