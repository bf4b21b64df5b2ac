package io.gatun.models.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOInvalidTreeException;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.FileImageInputStream;
import org.w3c.dom.NamedNodeMap;

/// Named texts in PNG files.
///
/// Source: PNG specification, third edition, section 11.3.3 (tEXt, zTXt, iTXt); Java's metadata
/// format `javax_imageio_png_1.0`.
final class PngText {
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

  /// All texts of a PNG file, in its order within each kind of chunk.
  static Map<String, String> read(Path file) {
    if (!Files.exists(file)) {
      throw new ImageException(file + ": there is no such file.");
    }
    ImageReader reader = ImageIO.getImageReadersByFormatName("png").next();
    try (var input = new FileImageInputStream(file.toFile())) {
      reader.setInput(input, true, false);
      var texts = new LinkedHashMap<String, String>();
      var kinds = reader.getImageMetadata(0).getAsTree(TREE).getChildNodes();
      for (int i = 0; i < kinds.getLength(); i++) {
        var entries = kinds.item(i).getChildNodes();
        for (int j = 0; j < entries.getLength(); j++) {
          NamedNodeMap fields = entries.item(j).getAttributes();
          var keyword = fields.getNamedItem("keyword");
          var value =
              fields.getNamedItem(
                  switch (entries.item(j).getNodeName()) {
                    case "tEXtEntry" -> "value";
                    case "zTXtEntry", "iTXtEntry" -> "text";
                    default -> "";
                  });
          if (keyword != null && value != null) {
            texts.put(keyword.getNodeValue(), value.getNodeValue());
          }
        }
      }
      return texts;
    } catch (IOException | RuntimeException e) {
      throw new ImageException(
          "%s: no texts of a PNG image can be read from it: %s.".formatted(file, e.getMessage()),
          e);
    } finally {
      reader.dispose();
    }
  }
}
