package io.gatun.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.eclipse.jetty.http.HttpStatus;

/// The fields of a JSON object, each read once: what nobody has read at the end is refused by
/// [#requireAllRead], so that nothing is accepted and then ignored. A field that is null is absent.
public final class Fields {
  private final ObjectNode node;
  private final String where;
  private final Set<String> read = new HashSet<>();

  /// @param where before the names of fields in messages: empty, or `options.`
  private Fields(ObjectNode node, String where) {
    this.node = node;
    this.where = where;
  }

  public static Fields of(JsonNode node, String where) {
    if (!(node instanceof ObjectNode object)) {
      throw ApiException.invalid(
          where.isEmpty() ? null : where, name(where) + "must be a JSON object");
    }
    return new Fields(object, where.isEmpty() ? "" : where + ".");
  }

  private static String name(String where) {
    return where.isEmpty() ? "the body " : where + " ";
  }

  /// The value, or null.
  public JsonNode get(String name) {
    read.add(name);
    JsonNode value = node.get(name);
    return value == null || value.isNull() ? null : value;
  }

  public boolean has(String name) {
    return node.hasNonNull(name);
  }

  /// Fields that change nothing of an answer here.
  public Fields ignore(String... names) {
    read.addAll(List.of(names));
    return this;
  }

  /// A field of which only one value is known, which is what happens anyway.
  public Fields only(String name, String... values) {
    JsonNode value = get(name);
    if (value != null && !List.of(values).contains(value.asText())) {
      throw invalid(
          name, "is %s; only %s is supported".formatted(value, String.join(", ", values)));
    }
    return this;
  }

  /// Makes sure that nothing is ignored.
  ///
  /// @throws ApiException if there is a field that nobody has read
  public void requireAllRead() {
    for (var names = node.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!read.contains(name) && !node.get(name).isNull()) {
        throw ApiException.of(
            HttpStatus.BAD_REQUEST_400,
            "unknown_parameter",
            where + name,
            "there is no field \"%s%s\" that this server knows; leave it out"
                .formatted(where, name));
      }
    }
  }

  public ApiException invalid(String name, String what) {
    return ApiException.invalid(where + name, "\"%s%s\" %s".formatted(where, name, what));
  }

  public String text(String name, String otherwise) {
    JsonNode value = get(name);
    if (value == null) {
      return otherwise;
    }
    if (!value.isTextual()) {
      throw invalid(name, "is %s; need a string".formatted(brief(value)));
    }
    return value.textValue();
  }

  public String requiredText(String name) {
    String value = text(name, null);
    if (value == null) {
      throw missing(name);
    }
    return value;
  }

  public ApiException missing(String name) {
    return ApiException.of(
        HttpStatus.BAD_REQUEST_400,
        "missing_required_parameter",
        where + name,
        "\"%s%s\" is missing".formatted(where, name));
  }

  public boolean flag(String name, boolean otherwise) {
    JsonNode value = get(name);
    if (value == null) {
      return otherwise;
    }
    if (!value.isBoolean()) {
      throw invalid(name, "is %s; need true or false".formatted(brief(value)));
    }
    return value.booleanValue();
  }

  public int count(String name, int otherwise, int least, int most) {
    JsonNode value = get(name);
    if (value == null) {
      return otherwise;
    }
    if (!value.isIntegralNumber()
        || !value.canConvertToInt()
        || value.intValue() < least
        || value.intValue() > most) {
      throw invalid(
          name, "is %s; need a whole number from %d to %d".formatted(brief(value), least, most));
    }
    return value.intValue();
  }

  public float number(String name, float otherwise, float least, float most) {
    return (float) real(name, otherwise, least, most);
  }

  public double real(String name, double otherwise, double least, double most) {
    JsonNode value = get(name);
    if (value == null) {
      return otherwise;
    }
    if (!value.isNumber() || !(value.doubleValue() >= least && value.doubleValue() <= most)) {
      throw invalid(
          name,
          "is %s; need a number from %s to %s"
              .formatted(brief(value), (float) least, (float) most));
    }
    return value.doubleValue();
  }

  public Long seed(String name) {
    JsonNode value = get(name);
    if (value == null) {
      return null;
    }
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw invalid(name, "is %s; need a whole number of 64 bits".formatted(brief(value)));
    }
    return value.longValue();
  }

  public Fields object(String name) {
    JsonNode value = get(name);
    return value == null ? null : of(value, where + name);
  }

  /// A string or a list of strings; empty if absent.
  public List<String> texts(String name, int most) {
    JsonNode value = get(name);
    var texts = new ArrayList<String>();
    if (value == null) {
      return texts;
    }
    for (JsonNode each : value.isTextual() ? List.of(value) : array(name, most)) {
      if (!each.isTextual()) {
        throw invalid(name, "has %s; need strings".formatted(brief(each)));
      }
      texts.add(each.textValue());
    }
    return texts;
  }

  /// A list of anything; empty if absent.
  public List<JsonNode> array(String name, int most) {
    JsonNode value = get(name);
    var all = new ArrayList<JsonNode>();
    if (value == null) {
      return all;
    }
    if (!value.isArray() || value.size() > most) {
      throw invalid(
          name,
          value.isArray()
              ? "has %d items; at most %d are taken".formatted(value.size(), most)
              : "is %s; need a list".formatted(brief(value)));
    }
    value.forEach(all::add);
    return all;
  }

  public static String brief(JsonNode value) {
    String text = value.toString();
    return text.length() <= 60 ? text : text.substring(0, 60) + "...";
  }
}
