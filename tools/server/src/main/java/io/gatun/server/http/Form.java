package io.gatun.server.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.image.Image;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.MultiPart;
import org.eclipse.jetty.http.MultiPartFormData;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.Blocker;

/// A body with images: JSON in which they are data URLs, or a form of several parts in which they
/// are files. Nothing is fetched from elsewhere, and nothing is written to the disk.
///
/// @param files of a form that have not been read, by the names of its fields
@SuppressWarnings("ArrayRecordComponent") // never compared
public record Form(Fields fields, Map<String, byte[]> files) {
  private static final int PARTS = 64;

  /// Fields of a form whose values are text, even if they look like numbers.
  private static final Set<String> TEXTS =
      Set.of("model", "prompt", "negative_prompt", "size", "image_id", "user");

  /// Reads the body.
  ///
  /// @throws ApiException if it is neither, or too large
  public static Form of(Call call) throws IOException, InterruptedException {
    String type = call.request().getHeaders().get(HttpHeader.CONTENT_TYPE);
    String boundary =
        type != null && type.startsWith("multipart/form-data")
            ? MultiPart.extractBoundary(type)
            : null;
    if (boundary == null) {
      return new Form(Fields.of(call.json(), ""), new HashMap<>());
    }
    byte[] body = call.body();
    var parser = new MultiPartFormData.Parser(boundary);
    parser.setMaxParts(PARTS);
    parser.setMaxMemoryFileSize(body.length);
    parser.setMaxFileSize(body.length);
    parser.setMaxLength(body.length);
    var node = Call.JSON.createObjectNode();
    var files = new HashMap<String, byte[]>();
    try (MultiPartFormData.Parts parts = parts(parser, body)) {
      for (var part : parts) {
        add(part, node, files);
      }
    }
    return new Form(Fields.of(node, ""), files);
  }

  private static MultiPartFormData.Parts parts(MultiPartFormData.Parser parser, byte[] body) {
    try {
      var source = Content.Source.from(ByteBuffer.wrap(body));
      return Blocker.blockWithPromise(promise -> parser.parse(source, promise));
    } catch (IOException | RuntimeException e) {
      throw ApiException.invalid(null, "the form is broken: " + e.getMessage());
    }
  }

  private static void add(MultiPart.Part part, ObjectNode node, Map<String, byte[]> files)
      throws IOException {
    // As some clients write a list of one image.
    String name = String.valueOf(part.getName()).replaceFirst("\\[\\]$", "");
    if (node.has(name) || files.containsKey(name)) {
      throw ApiException.invalid(name, "\"%s\" comes twice; need it once".formatted(name));
    }
    if (part.getFileName() != null) {
      try (var in = Content.Source.asInputStream(part.getContentSource())) {
        files.put(name, in.readAllBytes());
      }
      return;
    }
    node.set(name, value(name, part.getContentAsString(StandardCharsets.UTF_8)));
  }

  private static JsonNode value(String name, String text) {
    if (!TEXTS.contains(name)) {
      try {
        return Call.JSON.readTree(text);
      } catch (JsonProcessingException e) {
        // Plain text.
      }
    }
    return Call.JSON.getNodeFactory().textNode(text);
  }

  /// An image, read once; null if there is none of this name.
  ///
  /// @throws ApiException if it comes in another way than this server takes
  /// @throws io.gatun.models.image.ImageException if it is none, damaged, or too large
  public Image image(String name, long maxPixels) {
    byte[] file = files.remove(name);
    if (file != null) {
      return Image.read(file, maxPixels);
    }
    String url = fields.text(name, null);
    if (url == null) {
      return null;
    }
    return DataUrl.image(name, url, maxPixels);
  }

  /// Makes sure that nothing is ignored.
  ///
  /// @throws ApiException if there are fields or files that nobody has read
  public void requireAllRead() {
    if (!files.isEmpty()) {
      throw fields.invalid(
          files.keySet().iterator().next(),
          "is a file that this server does not know; leave it out");
    }
    fields.requireAllRead();
  }
}
