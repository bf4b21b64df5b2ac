package io.gatun.tests.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Reranker;
import io.gatun.search.Document;
import io.gatun.search.Index;
import io.gatun.search.IndexReport;
import io.gatun.search.Passage;
import io.gatun.search.SearchException;
import io.gatun.search.SearchOptions.Mode;
import io.gatun.search.Source;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Documents go in, change, go away, and are found.
class IndexTest {
  private static final Instant LONG_AGO = Instant.parse("2020-01-01T00:00:00Z");
  private static final List<String> SUBJECTS =
      List.of("locks", "ships", "lakes", "bridges", "rivers", "mountains", "islands", "harbours");

  @TempDir private Path temp;
  private Path folder;
  private Path docs;

  @BeforeEach
  void folders() throws Exception {
    folder = temp.resolve("index");
    docs = Files.createDirectory(temp.resolve("docs"));
  }

  private Path write(String name, String text) throws Exception {
    Path file = docs.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    Files.setLastModifiedTime(file, FileTime.from(LONG_AGO));
    return file;
  }

  private static void counts(IndexReport report, int added, int unchanged, int removed) {
    assertEquals(
        List.of(added, unchanged, removed),
        List.of(report.added(), report.unchanged(), report.removed()),
        report.toString());
  }

  private static List<String> sources(List<Passage> passages) {
    return passages.stream().map(Passage::source).toList();
  }

  private static List<Document> documents() {
    return SUBJECTS.stream()
        .map(word -> new Document(word, "This text is about " + word + " and nothing else."))
        .toList();
  }

  @Test
  void findsInAllModes() {
    try (var index = Index.open(folder, WordEmbedder.OF_64)) {
      counts(index.add(documents()), 8, 0, 0);
      for (Mode mode : Mode.values()) {
        var found = index.search("what is about rivers", o -> o.mode(mode).count(3));
        assertEquals(3, found.size(), mode.toString());
        var first = found.getFirst();
        assertEquals("rivers", first.source());
        assertEquals(mode == Mode.VECTORS ? 0 : 1, first.wordRank());
        assertEquals(mode == Mode.WORDS ? 0 : 1, first.vectorRank());
        int ways = mode == Mode.HYBRID ? 2 : 1;
        assertEquals(ways / 61.0, first.score(), 1e-12, "reciprocal rank fusion");
      }
      assertEquals(List.of(), index.search("zebra", o -> o.mode(Mode.WORDS)));
      assertEquals(List.of(), index.search("?!", o -> o.mode(Mode.WORDS)));
      assertEquals(5, index.search("zebra").size());
    }
  }

  @Test
  void passagesStandWhereTheySay() {
    var random = new Random(1);
    var text = new StringBuilder();
    var words = new ArrayList<String>();
    for (int i = 0; i < 3000; i++) {
      words.add(SUBJECTS.get(random.nextInt(8)) + i);
      text.append(words.getLast());
      text.append(i % 97 == 96 ? ".\n\n" : i % 11 == 10 ? ". " : i % 29 == 28 ? "\n" : " ");
    }
    String all = text.toString();
    try (var index = Index.open(folder, WordEmbedder.OF_64, o -> o.chunkTokens(50))) {
      index.add(List.of(new Document("all", all)));
      for (int i = 0; i < 3000; i += 100) {
        var found = index.search(words.get(i), o -> o.mode(Mode.WORDS));
        assertTrue(!found.isEmpty() && found.size() <= 2, "in its chunk, or in two that overlap");
        for (var passage : found) {
          assertEquals(all.substring(passage.start(), passage.end()), passage.text());
          assertTrue(WordEmbedder.OF_64.tokens(passage.text()) <= 50, passage.text());
          long line = 1 + all.substring(0, passage.start()).chars().filter(c -> c == '\n').count();
          assertEquals(line, passage.line());
        }
      }
    }
  }

  @Test
  void onlyWhatHasChangedIsReadAgain() throws Exception {
    write("a.txt", "apples");
    write("sub/b.md", "# bananas");
    write("c.html", "<p>cherries");
    write("d.bin", "dates");
    write(".hidden/e.txt", "elderberries");
    try (var index = Index.open(folder, WordEmbedder.OF_64)) {
      var report = index.update(docs);
      counts(report, 3, 0, 0);
      assertEquals(1, report.ignored());
      assertEquals(List.of(), index.search("elderberries", o -> o.mode(Mode.WORDS)));
      counts(index.update(docs), 0, 3, 0);
    }
    try (var index = Index.open(folder, WordEmbedder.OF_64)) {
      // Another time, the same bytes; another text of the same time and length is not noticed.
      Files.setLastModifiedTime(docs.resolve("a.txt"), FileTime.from(LONG_AGO.plusSeconds(9)));
      counts(index.update(docs), 0, 3, 0);
      write("sub/b.md", "# blueberries");
      Files.delete(docs.resolve("c.html"));
      counts(index.update(docs), 1, 1, 1);
      assertEquals(2, index.size());
      assertEquals(2, index.chunks());
      assertEquals(List.of(), index.search("cherries bananas", o -> o.mode(Mode.WORDS)));
      assertEquals(
          List.of(docs.resolve("sub/b.md").toString()),
          sources(index.search("blueberries", o -> o.mode(Mode.WORDS))));
      // One file alone leaves the others.
      Files.delete(docs.resolve("a.txt"));
      counts(index.update(docs.resolve("sub/b.md")), 0, 1, 0);
      assertEquals(2, index.size());
      // A folder that is gone takes its files with it.
      Files.delete(docs.resolve("sub/b.md"));
      Files.delete(docs.resolve("sub"));
      counts(index.update(docs.resolve("sub")), 0, 0, 1);
      assertThrows(SearchException.class, () -> index.update(docs.resolve("sub")));
    }
  }

  /// A file that was written a moment ago may be written again within the same tick of the clock.
  @Test
  void aFreshFileIsReadAgain() throws Exception {
    Path file = docs.resolve("fresh.txt");
    Files.writeString(file, "before");
    var time = Files.getLastModifiedTime(file);
    try (var index = Index.open(folder, null)) {
      counts(index.update(docs), 1, 0, 0);
      Files.writeString(file, "behind");
      Files.setLastModifiedTime(file, time);
      counts(index.update(docs), 1, 0, 0);
      assertEquals(1, index.search("behind").size());
      assertEquals(List.of(), index.search("before"));
    }
  }

  @Test
  void aTextTakesThePlaceOfItsSources() {
    try (var index = Index.open(folder, null)) {
      counts(index.add(List.of(new Document("1", "apples"), new Document("2", "pears"))), 2, 0, 0);
      counts(index.add(List.of(new Document("1", "apples"))), 0, 1, 0);
      counts(
          index.add(List.of(new Document("1", "plums"), new Document("1", "cherries"))), 2, 0, 0);
      assertEquals(List.of(new Source("1", 1), new Source("2", 1)), index.sources("", 10));
      assertEquals(List.of(new Source("2", 1)), index.sources("1", 10));
      assertEquals(1, index.search("cherries").size());
      assertEquals(List.of(), index.search("apples plums"));
      assertTrue(index.remove("1"));
      assertFalse(index.remove("1"));
      assertEquals(1, index.size());
    }
  }

  @Test
  void whatCannotBeReadLeavesTheRest() throws Exception {
    write("good.txt", "apples");
    write("empty.txt", "");
    Files.write(docs.resolve("binary.txt"), new byte[] {1, 0, 2});
    Files.write(docs.resolve("latin.txt"), new byte[] {'a', (byte) 0xE9, 'b'});
    write("broken.pdf", "%PDF-1.7 and no more");
    write("long.txt", "long ".repeat(300));
    Path secret = write("secret.txt", "cherries");
    try (var index = Index.open(folder, null, o -> o.maxCharacters(1000))) {
      counts(index.update(secret), 1, 0, 0);
      boolean locked = lock(secret);
      var report = index.update(docs);
      String all = String.join("\n", report.failures());
      assertTrue(all.contains("binary.txt: is no text: the character 1 is NUL"), all);
      assertTrue(all.contains("latin.txt: is not UTF-8 text (byte 1)"), all);
      assertTrue(all.contains("broken.pdf: this PDF cannot be read"), all);
      assertTrue(all.contains("long.txt: has more than 1,000 characters"), all);
      assertEquals(locked ? 5 : 4, report.failures().size(), all);
      assertEquals(3, index.size(), "what was there before is kept");
      assertEquals(1, index.search("apples").size());
      assertEquals(1, index.search("cherries").size());
    }
  }

  /// False where the user is the system's own, who reads everything.
  private static boolean lock(Path file) throws Exception {
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
    Files.setLastModifiedTime(file, FileTime.from(LONG_AGO.plusSeconds(1)));
    return !Files.isReadable(file);
  }

  @Test
  void anotherEmbedderIsRefused() {
    try (var index = Index.open(folder, WordEmbedder.OF_64)) {
      index.add(documents());
    }
    var other = new WordEmbedder("words-32", 32, 500, 0);
    var e = assertThrows(SearchException.class, () -> Index.open(folder, other));
    assertEquals(
        folder
            + ": was made with the embedder words-64, whose vectors have 64 numbers; this one,"
            + " words-32, makes others, of 32. Vectors of two models do not compare: open it with"
            + " that one, or make another index",
        e.getMessage());
    // As many numbers, but not the same.
    var same = new WordEmbedder("words-64", 64, 500, 7);
    assertThrows(SearchException.class, () -> Index.open(folder, same));
    // Elsewhere, and still the same.
    try (var index = Index.open(folder, new WordEmbedder("moved", 64, 500, 0))) {
      assertEquals("rivers", index.search("rivers").getFirst().source());
    }
    assertThrows(
        SearchException.class,
        () -> Index.open(folder, WordEmbedder.OF_64, o -> o.chunkTokens(100)));
    try (var words = Index.open(folder, null)) {
      assertEquals("rivers", words.search("rivers").getFirst().source());
      assertThrows(SearchException.class, () -> words.search("x", o -> o.mode(Mode.VECTORS)));
      assertThrows(SearchException.class, () -> words.add(documents()));
      assertThrows(IllegalArgumentException.class, () -> words.search(" "));
    }
  }

  @Test
  void otherFoldersAreLeftAlone() throws Exception {
    write("a.txt", "apples");
    var e = assertThrows(SearchException.class, () -> Index.open(docs, null));
    assertTrue(e.getMessage().contains("holds other files (a.txt) and no index"), e.getMessage());
    assertThrows(SearchException.class, () -> Index.open(docs.resolve("a.txt"), null));
    assertFalse(Index.exists(docs));
  }

  @Test
  void oneProcessWrites() {
    try (var one = Index.open(folder, null);
        var other = Index.open(folder, null)) {
      one.add(List.of(new Document("1", "apples")));
      assertEquals(1, other.search("apples").size(), "others search meanwhile");
      var all = List.of(new Document("2", "pears"));
      var e = assertThrows(SearchException.class, () -> other.add(all));
      assertTrue(e.getMessage().contains("another process is writing"), e.getMessage());
    }
  }

  @Test
  void rerankerSortsOnceMore() {
    Path model = TestData.ROOT.resolve("tests/src/test/resources/encoder/bert-reranker");
    String query = "What is the largest planet?";
    var texts =
        List.of(
            "Jupiter is the largest planet.",
            "A fox jumps over the dog, and then over the fence, and then it sleeps until morning.",
            "What is rain? Water that falls.",
            "The ship sailed on and the crew sang of home. ".repeat(4).strip());
    try (var reranker = Reranker.load(TestData.complete(model), o -> o.dtype(DType.Plain.F32));
        var index = Index.open(folder, WordEmbedder.OF_64)) {
      index.add(texts.stream().map(text -> new Document(text.substring(0, 9), text)).toList());
      float[] scores = reranker.score(query, texts);
      var best =
          IntStream.range(0, 4)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> -scores[i]))
              .map(texts::get)
              .toList();
      var found = index.search(query, o -> o.count(3).reranker(reranker));
      assertEquals(best.subList(0, 3), found.stream().map(Passage::text).toList());
      for (var passage : found) {
        assertEquals(scores[texts.indexOf(passage.text())], passage.score(), 1e-5);
      }
    }
  }

  @Test
  void longVectors() {
    var embedder = new WordEmbedder("long", 2048, 500, 0);
    try (var index = Index.open(folder, embedder)) {
      index.add(documents());
      assertEquals("lakes", index.search("lakes", o -> o.mode(Mode.VECTORS)).getFirst().source());
    }
    assertEquals("long", Index.embedderOf(folder));
  }
}
