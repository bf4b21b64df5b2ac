package io.gatun.server.labelstudio;

import io.gatun.server.http.ApiException;
import java.io.StringReader;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;

/// What a project's labeling interface says of its masks: the first of its tags that takes masks of
/// an image.
///
/// @param fromName the name of that tag
/// @param toName the name of the image's tag
/// @param field of a task in which the image is
/// @param type of its regions: `brushlabels` or `polygonlabels`
record LabelConfig(String fromName, String toName, String field, String type) {
  private static final int LONGEST = 1 << 18;
  private static final Set<String> MASKS = Set.of("BrushLabels", "PolygonLabels");

  /// @throws ApiException if it cannot be read, or has no such tag
  static LabelConfig of(String name, String xml) {
    if (xml.length() > LONGEST) {
      throw ApiException.invalid(
          name, "\"%s\" has more than %,d characters".formatted(name, LONGEST));
    }
    var factory = XMLInputFactory.newFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    Map<String, String> images = new HashMap<>();
    LabelConfig found = null;
    try {
      var reader = factory.createXMLStreamReader(new StringReader(xml));
      while (reader.hasNext()) {
        if (reader.next() != XMLStreamConstants.START_ELEMENT) {
          continue;
        }
        String tag = reader.getLocalName();
        String own = reader.getAttributeValue(null, "name");
        String value = reader.getAttributeValue(null, "value");
        String to = reader.getAttributeValue(null, "toName");
        if (tag.equals("Image") && own != null && value != null && value.startsWith("$")) {
          images.put(own, value.substring(1));
        } else if (MASKS.contains(tag) && own != null && to != null && found == null) {
          found = new LabelConfig(own, to, null, tag.toLowerCase(java.util.Locale.ROOT));
        }
      }
    } catch (XMLStreamException e) {
      throw ApiException.invalid(name, "\"%s\" is no XML: %s".formatted(name, e.getMessage()));
    }
    if (found == null || !images.containsKey(found.toName)) {
      throw ApiException.invalid(
          name,
          "\"%s\" has no BrushLabels or PolygonLabels of an Image with value=\"$...\": add one, for the masks"
              .formatted(name));
    }
    return new LabelConfig(found.fromName, found.toName, images.get(found.toName), found.type);
  }
}
