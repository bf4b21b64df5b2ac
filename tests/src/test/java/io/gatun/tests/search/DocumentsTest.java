package io.gatun.tests.search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.search.Index;
import io.gatun.search.Passage;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.encryption.AccessPermission;
import org.apache.pdfbox.pdmodel.encryption.StandardProtectionPolicy;
import org.apache.pdfbox.pdmodel.font.PDType1Font;
import org.apache.pdfbox.pdmodel.font.Standard14Fonts;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The text of files of each kind.
class DocumentsTest {
  @TempDir private Path temp;

  private Passage only(String name, byte[] bytes, String query) throws Exception {
    Path file = temp.resolve(name);
    Files.write(file, bytes);
    try (var index = Index.open(temp.resolve("index-" + name), null)) {
      var report = index.update(file);
      assertEquals(List.of(), report.failures());
      return index.search(query).getFirst();
    }
  }

  @Test
  void html() throws Exception {
    String page =
        """
        <!DOCTYPE html><html><head><title>The canal</title><style>p { color: red }</style>
        <script>var hidden = "locks";</script></head>
        <body><h1>Locks &amp; lakes</h1><p>Ships   <b>rise</b>
        here.</p><ul><li>one<li>two</ul><p>line<br>break</body></html>
        """;
    String text = only("page.html", page.getBytes(StandardCharsets.UTF_8), "rise").text();
    assertEquals("The canal\n\nLocks & lakes\n\nShips rise here.\n\none\ntwo\n\nline\nbreak", text);
    byte[] latin = "<meta charset='iso-8859-1'><p>caf\u00e9".getBytes(StandardCharsets.ISO_8859_1);
    assertEquals("caf\u00e9", only("latin.htm", latin, "caf\u00e9").text());
  }

  @Test
  void text() throws Exception {
    byte[] utf16 = "\ufeffwide".getBytes(StandardCharsets.UTF_16LE);
    assertEquals("wide", only("wide.txt", utf16, "wide").text());
    byte[] marked = "\ufeffmarked".getBytes(StandardCharsets.UTF_8);
    assertEquals("marked", only("marked.txt", marked, "marked").text());
    // A file that is named is read, whatever its name is.
    assertEquals(
        "class Main {}",
        only("Main.java", "class Main {}".getBytes(StandardCharsets.UTF_8), "main").text());
  }

  private static byte[] pdf(String password, String... pages) throws Exception {
    try (var document = new PDDocument();
        var out = new ByteArrayOutputStream()) {
      for (String text : pages) {
        var page = new PDPage();
        document.addPage(page);
        try (var content = new PDPageContentStream(document, page)) {
          content.beginText();
          content.setFont(new PDType1Font(Standard14Fonts.FontName.HELVETICA), 12);
          content.newLineAtOffset(72, 700);
          content.showText(text);
          content.endText();
        }
      }
      if (password != null) {
        document.protect(new StandardProtectionPolicy(password, password, new AccessPermission()));
      }
      document.save(out);
      return out.toByteArray();
    }
  }

  @Test
  void pdfHasPages() throws Exception {
    String filler = "words that fill the page and say nothing ".repeat(2);
    byte[] bytes = pdf(null, filler, filler, "Here the locks are explained.", filler);
    Path file = temp.resolve("paper.pdf");
    Files.write(file, bytes);
    try (var index = Index.open(temp.resolve("index"), null, o -> o.chunkTokens(16))) {
      index.update(file);
      var found = index.search("locks explained").getFirst();
      assertTrue(found.text().contains("Here the locks are explained."), found.text());
      assertTrue(found.page() <= 3 && found.lastPage() >= 3, found.toString());
      int pages = index.search("words").stream().mapToInt(Passage::lastPage).max().getAsInt();
      assertEquals(4, pages);
      var first = index.search("words").stream().filter(p -> p.start() == 0).findFirst();
      assertEquals(file + ", page 1", first.orElseThrow().place());
    }
  }

  @Test
  void pdfThatCannotBeRead() throws Exception {
    Files.write(temp.resolve("locked.pdf"), pdf("secret", "hidden"));
    Files.write(temp.resolve("scan.pdf"), pdf(null, ""));
    byte[] whole = pdf(null, "text");
    Files.write(temp.resolve("cut.pdf"), Arrays.copyOf(whole, whole.length / 2));
    try (var index = Index.open(temp.resolve("index"), null)) {
      var report = index.update(temp);
      String all = String.join("\n", report.failures());
      assertTrue(all.contains("locked.pdf: is locked with a password"), all);
      assertTrue(all.contains("scan.pdf: its 1 pages hold no text"), all);
      assertTrue(all.contains("cut.pdf: this PDF"), all);
      assertEquals(0, index.size());
    }
  }
}
