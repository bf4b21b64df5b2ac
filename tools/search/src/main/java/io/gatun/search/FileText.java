package io.gatun.search;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.io.MemoryUsageSetting;
import org.apache.pdfbox.pdmodel.encryption.InvalidPasswordException;
import org.apache.pdfbox.text.PDFTextStripper;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jsoup.select.NodeTraversor;
import org.jsoup.select.NodeVisitor;

/// The text of a file.
///
/// @param text all of it
/// @param pages where the pages of a PDF begin in it; empty for others
@SuppressWarnings("ArrayRecordComponent") // never compared
record FileText(String text, int[] pages) {
  /// The endings of the files that are read of a folder.
  static final List<String> KINDS = List.of("txt", "text", "md", "markdown", "html", "htm", "pdf");

  /// What PDFBox may keep: in memory, and in a file beside it.
  private static final MemoryUsageSetting PDF_MEMORY =
      MemoryUsageSetting.setupMixed(16L << 20, 1L << 30);

  /// The ending of a file's name, in small letters; empty if it has none.
  static String kind(Path file) {
    String name = file.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT);
  }

  /// The text of a file with these bytes.
  ///
  /// @param longest the most characters
  /// @throws SearchException if it is no text, or too long
  static FileText of(Path file, byte[] bytes, int longest) {
    var found =
        switch (kind(file)) {
          case "pdf" -> pdf(file, bytes, longest);
          case "html", "htm" -> new FileText(html(file, bytes), new int[0]);
          default -> new FileText(plain(file, bytes), new int[0]);
        };
    checkLength(file, found.text.length(), longest);
    return found;
  }

  /// The page on which a character stands, from 1; 0 where there are no pages.
  int page(int place) {
    if (pages.length == 0) {
      return 0;
    }
    int at = Arrays.binarySearch(pages, place);
    if (at < 0) {
      return -at - 1;
    }
    // Empty pages begin where the next one does.
    while (at + 1 < pages.length && pages[at + 1] == place) {
      at++;
    }
    return at + 1;
  }

  private static void checkLength(Path file, long length, int longest) {
    if (length > longest) {
      throw new SearchException(
          "%s: has more than %,d characters of text; split it, or allow more (--max-characters)"
              .formatted(file, longest));
    }
  }

  private static String plain(Path file, byte[] bytes) {
    Charset charset = StandardCharsets.UTF_8;
    int from = 0;
    if (startsWith(bytes, 0xEF, 0xBB, 0xBF)) {
      from = 3;
    } else if (startsWith(bytes, 0xFF, 0xFE) || startsWith(bytes, 0xFE, 0xFF)) {
      charset = StandardCharsets.UTF_16;
    }
    var in = ByteBuffer.wrap(bytes, from, bytes.length - from);
    try {
      String text =
          charset
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(in)
              .toString();
      int nul = text.indexOf('\0');
      if (nul >= 0) {
        throw new SearchException(
            "%s: is no text: the character %,d is NUL. Only text, Markdown, HTML and PDF files can be searched"
                .formatted(file, nul));
      }
      return text;
    } catch (CharacterCodingException e) {
      throw new SearchException(
          "%s: is not UTF-8 text (byte %,d). If it is text, convert it, for instance with iconv -t UTF-8"
              .formatted(file, in.position()),
          e);
    }
  }

  private static boolean startsWith(byte[] bytes, int... first) {
    for (int i = 0; i < first.length; i++) {
      if (i >= bytes.length || (bytes[i] & 0xFF) != first[i]) {
        return false;
      }
    }
    return true;
  }

  private static String html(Path file, byte[] bytes) {
    try {
      var page = Jsoup.parse(new ByteArrayInputStream(bytes), null, "");
      page.select("script, style, noscript, template").remove();
      var text = new StringBuilder();
      NodeTraversor.traverse(
          new NodeVisitor() {
            @Override
            public void head(Node node, int depth) {
              switch (node) {
                case TextNode words -> {
                  String said = words.text();
                  boolean spaced =
                      text.isEmpty() || Character.isWhitespace(text.charAt(text.length() - 1));
                  text.append(spaced ? said.stripLeading() : said);
                }
                case Element e when e.isBlock() || e.nameIs("br") -> endLine(text);
                default -> {}
              }
            }

            @Override
            public void tail(Node node, int depth) {
              if (node instanceof Element e && e.isBlock()) {
                endLine(text);
                text.append(text.isEmpty() || e.nameIs("li") || e.nameIs("tr") ? "" : "\n");
              }
            }
          },
          page);
      return text.toString().replaceAll("\n{3,}", "\n\n");
    } catch (IOException e) {
      throw SearchException.of(file, e);
    }
  }

  private static void endLine(StringBuilder text) {
    if (!text.isEmpty() && text.charAt(text.length() - 1) != '\n') {
      text.append('\n');
    }
  }

  private static FileText pdf(Path file, byte[] bytes, int longest) {
    try (var document = Loader.loadPDF(bytes, "", null, null, PDF_MEMORY.streamCache)) {
      var stripper = new PDFTextStripper();
      stripper.setSortByPosition(true);
      var text = new StringBuilder();
      int[] pages = new int[document.getNumberOfPages()];
      for (int i = 0; i < pages.length; i++) {
        pages[i] = text.length();
        stripper.setStartPage(i + 1);
        stripper.setEndPage(i + 1);
        text.append(stripper.getText(document).replace("\r\n", "\n"));
        checkLength(file, text.length(), longest);
      }
      if (text.toString().isBlank()) {
        throw new SearchException(
            "%s: its %d pages hold no text, only pictures of it perhaps; need text (for instance from ocrmypdf)"
                .formatted(file, pages.length));
      }
      return new FileText(text.toString(), pages);
    } catch (InvalidPasswordException e) {
      throw new SearchException(
          "%s: is locked with a password; save it without one".formatted(file), e);
    } catch (IOException e) {
      throw new SearchException(
          "%s: this PDF cannot be read: %s".formatted(file, Reasons.of(e)), e);
    } catch (SearchException e) {
      throw e;
    } catch (RuntimeException | StackOverflowError e) { // PDFBox of damaged files
      throw new SearchException("%s: this PDF is damaged: %s".formatted(file, e), e);
    }
  }
}
