package io.gatun.models.image;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.InflaterInputStream;
import javax.imageio.metadata.IIOInvalidTreeException;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;

/// Named texts in PNG files.
///
/// Source: PNG specification, third edition, section 11.3.3 (tEXt, zTXt, iTXt); Java's metadata
/// format `javax_imageio_png_1.0`.
final class PngText {
  /// Of all texts together; what image generators write has some thousands.
  private static final int MOST_BYTES = 16 << 20;

  private static final int MOST_TEXTS = 1000;
  private static final String TREE = "javax_imageio_png_1.0";

  private PngText() {}

  /// Adds texts: Latin-1 ones as tEXt chunks, others as iTXt chunks.
  ///
  /// @throws IllegalArgumentException if a keyword is not 1 to 79 Latin-1 characters
  static void put(IIOMetadata metadata, Map<String, String> text) throws IIOInvalidTreeException {
    var plain = new IIOMetadataNode("tEXt");
    var international = new IIOMetadataNode("iTXt");
    text.forEach(
        (keyword, value) -> {
          if (keyword.isEmpty() || keyword.length() > 79 || !isLatin(keyword)) {
            throw new IllegalArgumentException(
                "\"%s\" names a text in a PNG file; need 1 to 79 Latin-1 characters"
                    .formatted(keyword));
          }
          boolean latin = isLatin(value);
          var entry = new IIOMetadataNode(latin ? "tEXtEntry" : "iTXtEntry");
          entry.setAttribute("keyword", keyword);
          if (latin) {
            entry.setAttribute("value", value);
            plain.appendChild(entry);
          } else {
            entry.setAttribute("compressionFlag", "FALSE");
            entry.setAttribute("compressionMethod", "0");
            entry.setAttribute("languageTag", "");
            entry.setAttribute("translatedKeyword", "");
            entry.setAttribute("text", value);
            international.appendChild(entry);
          }
        });
    var root = new IIOMetadataNode(TREE);
    for (var node : new IIOMetadataNode[] {plain, international}) {
      if (node.hasChildNodes()) {
        root.appendChild(node);
      }
    }
    metadata.mergeTree(TREE, root);
  }

  private static boolean isLatin(String text) {
    return StandardCharsets.ISO_8859_1.newEncoder().canEncode(text);
  }

  /// All texts of a PNG file, in its order.
  static Map<String, String> read(Path file) {
    try (var arena = Arena.ofConfined()) {
      var bytes = FileBytes.read(file, arena);
      if (!PngChunks.isPng(bytes)) {
        throw new ImageException(file + ": is no PNG file, and no other carries texts.");
      }
      return texts(new PngChunks(bytes));
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw FileBytes.exception(file, e);
    }
  }

  private static Map<String, String> texts(PngChunks chunks) throws IOException {
    var texts = new LinkedHashMap<String, String>();
    int left = MOST_BYTES;
    for (var chunk = chunks.next(); !chunk.type().equals("IEND"); chunk = chunks.next()) {
      var type = chunk.type();
      if (!type.equals("tEXt") && !type.equals("zTXt") && !type.equals("iTXt")) {
        continue;
      }
      if (chunk.unchecked().byteSize() > left || texts.size() == MOST_TEXTS) {
        throw tooMuch();
      }
      var in = ByteBuffer.wrap(chunk.data().toArray(ValueLayout.JAVA_BYTE));
      String keyword = field(in, StandardCharsets.ISO_8859_1);
      boolean international = type.equals("iTXt");
      boolean compressed = international ? in.get() == 1 : type.equals("zTXt");
      if (international || compressed) {
        in.get(); // the one way of compression that there is
      }
      if (international) {
        field(in, StandardCharsets.ISO_8859_1); // language
        field(in, StandardCharsets.UTF_8); // the keyword in that language
      }
      byte[] text = compressed ? inflate(in, left) : rest(in);
      left -= text.length;
      texts.put(
          keyword,
          new String(text, international ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1));
    }
    return texts;
  }

  /// What lies before the next zero byte.
  private static String field(ByteBuffer in, Charset charset) {
    int length = 0;
    while (in.get(in.position() + length) != 0) { // the buffer's end is damage
      length++;
    }
    var bytes = new byte[length];
    in.get(bytes).get();
    return new String(bytes, charset);
  }

  private static byte[] rest(ByteBuffer in) {
    var bytes = new byte[in.remaining()];
    in.get(bytes);
    return bytes;
  }

  /// A few bytes may unfold to gigabytes.
  private static byte[] inflate(ByteBuffer in, int limit) throws IOException {
    try (var stream = new InflaterInputStream(new ByteArrayInputStream(rest(in)))) {
      byte[] text = stream.readNBytes(limit + 1);
      if (text.length > limit) {
        throw tooMuch();
      }
      return text;
    }
  }

  private static IOException tooMuch() {
    return new IOException(
        "its texts are longer than %,d bytes, or more than %,d".formatted(MOST_BYTES, MOST_TEXTS));
  }
}
