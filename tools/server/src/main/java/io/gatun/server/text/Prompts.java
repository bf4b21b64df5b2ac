package io.gatun.server.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.server.http.Fields;
import java.util.ArrayList;
import java.util.List;

/// Texts to be read, each as a string or as the ids of its tokens: a field that holds one of them,
/// or a list of them.
public final class Prompts {
  /// One text.
  ///
  /// @param text null if ids are given
  /// @param ids null if a text is given
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Prompt(String text, int[] ids) {}

  private Prompts() {}

  /// Reads them.
  ///
  /// @param most texts
  /// @throws ApiException if there are none, or more, or it is something else
  public static List<Prompt> of(Fields f, String name, int most) {
    JsonNode value = f.get(name);
    if (value == null) {
      throw f.missing(name);
    }
    if (value.isTextual()) {
      return List.of(new Prompt(value.textValue(), null));
    }
    if (isIds(value)) {
      return List.of(new Prompt(null, ids(f, name, value)));
    }
    var all = new ArrayList<Prompt>();
    for (JsonNode each : f.array(name, most)) {
      all.add(
          each.isTextual()
              ? new Prompt(each.textValue(), null)
              : new Prompt(null, ids(f, name, each)));
    }
    if (all.isEmpty()) {
      throw f.invalid(name, "is an empty list; need a text or a token");
    }
    return all;
  }

  private static boolean isIds(JsonNode value) {
    return value.isArray() && !value.isEmpty() && value.get(0).isNumber();
  }

  /// The ids in a list.
  public static int[] ids(Fields f, String name, JsonNode list) {
    if (!list.isArray() || list.isEmpty()) {
      throw f.invalid(
          name, "has %s; need strings, or lists of token ids".formatted(Fields.brief(list)));
    }
    var ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode id = list.get(i);
      if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
        throw f.invalid(name, "has %s among token ids".formatted(Fields.brief(id)));
      }
      ids[i] = id.intValue();
    }
    return ids;
  }
}
