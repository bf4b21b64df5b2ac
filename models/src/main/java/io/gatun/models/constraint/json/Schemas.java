package io.gatun.models.constraint.json;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.models.constraint.ConstraintException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/// The schemas of one document: follows references and combinations, until what is asked of a value
/// is a list of alternatives without either.
final class Schemas {
  private static final int MOST_CHARACTERS = 1 << 21;
  private static final int MOST_ALTERNATIVES = 1000;
  private static final int MOST_STEPS = 200_000;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /// Keywords that ask nothing of a value.
  private static final Set<String> ANNOTATIONS =
      Set.of(
          "$schema",
          "$comment",
          "$defs",
          "definitions",
          "title",
          "description",
          "default",
          "examples",
          "example",
          "deprecated",
          "readOnly",
          "writeOnly",
          "contentEncoding",
          "contentMediaType",
          "contentSchema");

  private static final Map<String, String> HINTS =
      Map.of(
          "additionalItems", "items says in draft 2020-12 what comes after prefixItems",
          "nullable", "write \"type\": [..., \"null\"]",
          "not", "say what is allowed instead",
          "if", "use anyOf with a const in each alternative",
          "$dynamicRef", "use $ref");

  /// A schema, and where it stands.
  record Located(JsonNode schema, String pointer) {
    Located at(String... path) {
      JsonNode node = schema;
      var place = new StringBuilder(pointer);
      for (String step : path) {
        node = node.isArray() ? node.get(Integer.parseInt(step)) : node.get(step);
        place.append('/').append(step.replace("~", "~0").replace("/", "~1"));
      }
      return new Located(node, place.toString());
    }

    ConstraintException error(String message) {
      return new ConstraintException(
          "JSON schema, at %s: %s".formatted(pointer.isEmpty() ? "its root" : pointer, message));
    }
  }

  /// Schemas of which a value follows one.
  private record Group(List<Located> options, boolean exclusive, Located at) {}

  private final JsonNode document;
  private int steps;

  private Schemas(JsonNode document) {
    this.document = document;
  }

  static Schemas read(String text) {
    if (text.length() > MOST_CHARACTERS) {
      throw new ConstraintException(
          "the JSON schema has %,d characters; at most %,d are read"
              .formatted(text.length(), MOST_CHARACTERS));
    }
    try {
      return new Schemas(JSON.readTree(text));
    } catch (JsonProcessingException e) {
      throw new ConstraintException("the JSON schema is not JSON: " + e.getOriginalMessage(), e);
    }
  }

  Located root() {
    return new Located(document, "");
  }

  /// What each alternative of these schemas together asks of a value; none if they contradict.
  List<Conjunct> alternatives(List<Located> all) {
    var base = new Conjunct(this);
    var groups = new ArrayList<Group>();
    all.forEach(schema -> gather(schema, base, groups, new ArrayList<>()));
    return alternatives(base, groups);
  }

  /// The schemas of which these are just a choice, or an empty list.
  List<Located> plainChoice(List<Located> all) {
    var base = new Conjunct(this);
    var groups = new ArrayList<Group>();
    all.forEach(schema -> gather(schema, base, groups, new ArrayList<>()));
    if (!base.asksNothing() || groups.size() != 1) {
      return List.of();
    }
    checkExclusive(base, groups.getFirst());
    return groups.getFirst().options;
  }

  private List<Conjunct> alternatives(Conjunct base, List<Group> groups) {
    if (base.isNever()) {
      return List.of();
    }
    if (groups.isEmpty()) {
      return List.of(base);
    }
    var found = new ArrayList<Conjunct>();
    Group first = groups.getFirst();
    checkExclusive(base, first);
    for (Located option : first.options) {
      var both = base.copy();
      var rest = new ArrayList<>(groups.subList(1, groups.size()));
      gather(option, both, rest, new ArrayList<>());
      found.addAll(alternatives(both, rest));
      if (found.size() > MOST_ALTERNATIVES) {
        throw first.at.error(
            "there are more than %,d combinations of alternatives".formatted(MOST_ALTERNATIVES));
      }
    }
    return found;
  }

  /// `oneOf` is what `anyOf` is if no value follows two of its schemas.
  private void checkExclusive(Conjunct base, Group group) {
    if (!group.exclusive) {
      return;
    }
    var each = new ArrayList<List<Conjunct>>();
    for (Located option : group.options) {
      var both = base.copy();
      var more = new ArrayList<Group>();
      gather(option, both, more, new ArrayList<>());
      each.add(alternatives(both, more));
    }
    for (int i = 0; i < each.size(); i++) {
      for (int j = 0; j < i; j++) {
        for (Conjunct a : each.get(i)) {
          for (Conjunct b : each.get(j)) {
            count(group.at);
            if (!a.isDisjoint(b, 0)) {
              throw group.at.error(
                  "a value may follow the alternatives %d and %d at once, which oneOf forbids. Use anyOf, or tell them apart by a required property with a const"
                      .formatted(j, i));
            }
          }
        }
      }
    }
  }

  private void count(Located at) {
    if (++steps > MOST_STEPS) {
      throw at.error("the schema takes more than %,d steps to resolve".formatted(MOST_STEPS));
    }
  }

  /// Adds what a schema asks to `into`, and its choices to `groups`.
  ///
  /// @param path the places that led here
  private void gather(Located at, Conjunct into, List<Group> groups, List<String> path) {
    count(at);
    JsonNode schema = at.schema;
    if (schema.isBoolean()) {
      if (!schema.booleanValue()) {
        into.never();
      }
      return;
    }
    if (!schema.isObject()) {
      throw at.error("found %s; a schema is an object, true or false".formatted(kind(schema)));
    }
    if (path.contains(at.pointer)) {
      throw at.error("the schema refers to itself without going on to a part of the value");
    }
    path.add(at.pointer);
    for (var entry : schema.properties()) {
      String keyword = entry.getKey();
      switch (keyword) {
        case "$ref" -> gather(resolve(at), into, groups, path);
        case "$id", "$anchor" -> {
          if (!at.pointer.isEmpty()) {
            throw at.error(keyword + " is supported at the root only; refer by #/$defs/...");
          }
        }
        case "allOf" -> each(at, keyword, option -> gather(option, into, groups, path));
        case "anyOf", "oneOf" -> {
          var options = new ArrayList<Located>();
          each(at, keyword, options::add);
          groups.add(new Group(options, keyword.equals("oneOf"), at.at(keyword)));
        }
        default -> {
          if (!ANNOTATIONS.contains(keyword)
              && !keyword.startsWith("x-")
              && !into.add(at, keyword)) {
            throw at.at(keyword)
                .error(
                    "the keyword %s is not supported%s"
                        .formatted(
                            keyword, HINTS.containsKey(keyword) ? "; " + HINTS.get(keyword) : ""));
          }
        }
      }
    }
    into.addParts(at);
    path.removeLast();
  }

  private static void each(Located at, String keyword, Consumer<Located> use) {
    JsonNode list = at.schema.get(keyword);
    if (!list.isArray() || list.isEmpty()) {
      throw at.at(keyword).error("found %s; need a list of schemas".formatted(kind(list)));
    }
    for (int i = 0; i < list.size(); i++) {
      use.accept(at.at(keyword, "" + i));
    }
  }

  static String kind(JsonNode node) {
    return node.isContainerNode() && node.isEmpty()
        ? "an empty " + node.getNodeType().toString().toLowerCase(Locale.ROOT)
        : node.toString().length() > 60
            ? node.toString().substring(0, 60) + "..."
            : node.toString();
  }

  private Located resolve(Located at) {
    JsonNode ref = at.schema.get("$ref");
    String text = ref.isTextual() ? ref.textValue() : "";
    if (!text.equals("#") && !text.startsWith("#/")) {
      throw at.at("$ref")
          .error(
              "cannot refer to %s; only places in the same schema are supported, such as #/$defs/name"
                  .formatted(kind(ref)));
    }
    var found = root();
    String path = URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    for (String step : path.equals("#") ? new String[0] : path.substring(2).split("/", -1)) {
      String name = step.replace("~1", "/").replace("~0", "~");
      JsonNode node = found.schema;
      boolean there =
          node.isArray()
              ? name.matches("\\d{1,6}") && Integer.parseInt(name) < node.size()
              : node.has(name);
      if (!there) {
        throw at.at("$ref").error("there is nothing at " + text);
      }
      found = found.at(name);
    }
    return found;
  }

  /// Whether a value follows all of these.
  boolean admits(JsonNode value, List<Located> all) {
    return alternatives(all).stream().anyMatch(a -> a.admits(value));
  }

  /// A key that is equal for the same schemas.
  static String key(List<Located> all) {
    var places = new HashSet<String>();
    all.forEach(schema -> places.add(schema.pointer));
    return String.join(" ", places.stream().sorted().toList());
  }
}
