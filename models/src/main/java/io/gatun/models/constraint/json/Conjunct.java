package io.gatun.models.constraint.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Regex;
import io.gatun.models.constraint.json.Numbers.Range;
import io.gatun.models.constraint.json.Schemas.Located;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// What several schemas together ask of a value: the keywords of all of them that are no choice.
final class Conjunct {
  /// Kinds of values; a number of type `number` may be either.
  enum Kind {
    NULL,
    BOOLEAN,
    OBJECT,
    ARRAY,
    INTEGER,
    FRACTION,
    STRING
  }

  private static final int DEEPEST = 4;

  private static final Set<String> OBJECT_PARTS =
      Set.of("properties", "patternProperties", "additionalProperties", "propertyNames");
  private static final Set<String> ARRAY_PARTS = Set.of("prefixItems", "items");

  final Schemas schemas;
  EnumSet<Kind> kinds = EnumSet.allOf(Kind.class);
  private Map<String, JsonNode> values; // by what is the same for equal ones; null: any
  Range range = Range.ALL;
  final List<BigDecimal> multiples = new ArrayList<>();
  int minLength;
  int maxLength = Expr.UNBOUNDED;
  private final List<Located> patterns = new ArrayList<>();
  private final List<String> formats = new ArrayList<>();
  final Set<String> required = new LinkedHashSet<>();
  int minProperties;
  int maxProperties = Expr.UNBOUNDED;
  final List<Located> objectParts = new ArrayList<>();
  int minItems;
  int maxItems = Expr.UNBOUNDED;
  boolean uniqueItems;
  final List<Located> arrayParts = new ArrayList<>();
  Located numberPlace;
  Located place;
  private boolean asks;
  private CharDfa texts;

  Conjunct(Schemas schemas) {
    this.schemas = schemas;
  }

  Conjunct copy() {
    var copy = new Conjunct(schemas);
    copy.kinds = EnumSet.copyOf(kinds);
    copy.values = values;
    copy.range = range;
    copy.multiples.addAll(multiples);
    copy.minLength = minLength;
    copy.maxLength = maxLength;
    copy.patterns.addAll(patterns);
    copy.formats.addAll(formats);
    copy.required.addAll(required);
    copy.minProperties = minProperties;
    copy.maxProperties = maxProperties;
    copy.objectParts.addAll(objectParts);
    copy.minItems = minItems;
    copy.maxItems = maxItems;
    copy.uniqueItems = uniqueItems;
    copy.arrayParts.addAll(arrayParts);
    copy.numberPlace = numberPlace;
    copy.place = place;
    copy.asks = asks;
    return copy;
  }

  boolean asksNothing() {
    return !asks;
  }

  void never() {
    asks = true;
    kinds.clear();
  }

  boolean isNever() {
    return kinds.isEmpty() || (values != null && values.isEmpty());
  }

  /// Takes in one keyword of a schema; returns false if it is not known.
  boolean add(Located at, String keyword) {
    JsonNode value = at.schema().get(keyword);
    Located here = at.at(keyword);
    switch (keyword) {
      case "type" -> kinds.retainAll(kinds(here));
      case "const" -> keep(List.of(value));
      case "enum" -> {
        if (!value.isArray() || value.isEmpty()) {
          throw here.error("found %s; need a list of values".formatted(Schemas.kind(value)));
        }
        var list = new ArrayList<JsonNode>();
        value.forEach(list::add);
        keep(list);
      }
      case "minimum" -> range = range.atLeast(number(here), false);
      case "exclusiveMinimum" -> range = range.atLeast(number(here), true);
      case "maximum" -> range = range.atMost(number(here), false);
      case "exclusiveMaximum" -> range = range.atMost(number(here), true);
      case "multipleOf" -> multiples.add(number(here));
      case "minLength" -> minLength = Math.max(minLength, count(here));
      case "maxLength" -> maxLength = least(maxLength, count(here));
      case "pattern" -> {
        text(here);
        patterns.add(here);
      }
      case "format" -> {
        if (Formats.isEnforced(text(here))) {
          formats.add(text(here));
        }
      }
      case "required" -> {
        if (!value.isArray()) {
          throw here.error("found %s; need a list of names".formatted(Schemas.kind(value)));
        }
        for (int i = 0; i < value.size(); i++) {
          required.add(text(here.at("" + i)));
        }
      }
      case "minProperties" -> minProperties = Math.max(minProperties, count(here));
      case "maxProperties" -> maxProperties = least(maxProperties, count(here));
      case "minItems" -> minItems = Math.max(minItems, count(here));
      case "maxItems" -> maxItems = least(maxItems, count(here));
      case "uniqueItems" -> {
        if (!value.isBoolean()) {
          throw here.error("found %s; need true or false".formatted(Schemas.kind(value)));
        }
        uniqueItems |= value.booleanValue();
      }
      case "properties", "patternProperties" -> {
        if (!value.isObject()) {
          throw here.error(
              "found %s; need an object with a schema for each name"
                  .formatted(Schemas.kind(value)));
        }
      }
      case "prefixItems" -> {
        if (!value.isArray()) {
          throw here.error("found %s; need a list of schemas".formatted(Schemas.kind(value)));
        }
      }
      case "items" -> {
        if (value.isArray()) {
          throw here.error("a list is what prefixItems has in draft 2020-12");
        }
      }
      case "additionalProperties", "propertyNames" -> {} // looked at with their neighbours
      default -> {
        return false;
      }
    }
    asks = true;
    place = at;
    if (Set.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        .contains(keyword)) {
      numberPlace = here;
    }
    return true;
  }

  /// Notes a schema that says something of the parts of a value.
  void addParts(Located at) {
    if (OBJECT_PARTS.stream().anyMatch(at.schema()::has)) {
      objectParts.add(at);
    }
    if (ARRAY_PARTS.stream().anyMatch(at.schema()::has)) {
      arrayParts.add(at);
    }
  }

  private static int least(int a, int b) {
    return a == Expr.UNBOUNDED ? b : Math.min(a, b);
  }

  private static EnumSet<Kind> kinds(Located at) {
    JsonNode type = at.schema();
    var kinds = EnumSet.noneOf(Kind.class);
    for (JsonNode name : type.isArray() ? type : List.of(type)) {
      switch (name.asText()) {
        case "null" -> kinds.add(Kind.NULL);
        case "boolean" -> kinds.add(Kind.BOOLEAN);
        case "object" -> kinds.add(Kind.OBJECT);
        case "array" -> kinds.add(Kind.ARRAY);
        case "integer" -> kinds.add(Kind.INTEGER);
        case "number" -> kinds.addAll(EnumSet.of(Kind.INTEGER, Kind.FRACTION));
        case "string" -> kinds.add(Kind.STRING);
        default ->
            throw at.error(
                "found %s; a type is null, boolean, object, array, integer, number or string"
                    .formatted(Schemas.kind(name)));
      }
    }
    return kinds;
  }

  private static BigDecimal number(Located at) {
    if (!at.schema().isNumber()) {
      throw at.error("found %s; need a number".formatted(Schemas.kind(at.schema())));
    }
    BigDecimal number = at.schema().decimalValue();
    if (Math.abs((long) number.scale()) > 400) {
      throw at.error("the number %s is too long".formatted(number));
    }
    return number;
  }

  private static int count(Located at) {
    BigDecimal count = number(at);
    if (count.signum() < 0 || count.stripTrailingZeros().scale() > 0) {
      throw at.error("found %s; need a whole number, 0 or more".formatted(count));
    }
    if (count.compareTo(BigDecimal.valueOf(Expr.MOST_COUNTED)) > 0) {
      throw at.error(
          "found %s; at most %,d can be counted. Leave it out, or lower it"
              .formatted(count, Expr.MOST_COUNTED));
    }
    return count.intValue();
  }

  private static String text(Located at) {
    if (!at.schema().isTextual()) {
      throw at.error("found %s; need a string".formatted(Schemas.kind(at.schema())));
    }
    return at.schema().textValue();
  }

  private void keep(List<JsonNode> list) {
    var kept = new LinkedHashMap<String, JsonNode>();
    for (JsonNode value : list) {
      String key = key(value);
      if (values == null || values.containsKey(key)) {
        kept.putIfAbsent(key, value);
      }
    }
    values = kept;
  }

  /// A text that is the same for equal values: 1 and 1.0 are, and properties have no order.
  private static String key(JsonNode value) {
    if (value.isNumber()) {
      BigDecimal number = value.decimalValue();
      return number.signum() == 0 ? "0" : number.stripTrailingZeros().toString();
    }
    if (value.isArray()) {
      var items = new ArrayList<String>();
      value.forEach(item -> items.add(key(item)));
      return items.toString();
    }
    if (value.isObject()) {
      var members = new TreeMap<String, String>();
      value
          .properties()
          .forEach(e -> members.put(TextNode.valueOf(e.getKey()).toString(), key(e.getValue())));
      return members.toString();
    }
    return value.toString();
  }

  /// Whether only some values are allowed: see [#values].
  boolean hasValues() {
    return values != null;
  }

  /// The only values, those left out that something else forbids.
  List<JsonNode> values() {
    return values.values().stream().filter(this::admits).toList();
  }

  static Kind kind(JsonNode value) {
    return switch (value.getNodeType()) {
      case NULL -> Kind.NULL;
      case BOOLEAN -> Kind.BOOLEAN;
      case OBJECT -> Kind.OBJECT;
      case ARRAY -> Kind.ARRAY;
      case NUMBER ->
          value.decimalValue().signum() == 0
                  || value.decimalValue().stripTrailingZeros().scale() <= 0
              ? Kind.INTEGER
              : Kind.FRACTION;
      default -> Kind.STRING;
    };
  }

  /// Whether anything is asked of strings but their length.
  boolean hasPattern() {
    return !patterns.isEmpty() || !formats.isEmpty();
  }

  /// The strings, without those of [#values].
  CharDfa texts() {
    if (texts == null) {
      texts =
          minLength == 0 && maxLength == Expr.UNBOUNDED
              ? CharDfa.ANY
              : CharDfa.length(minLength, maxLength);
      for (Located pattern : patterns) {
        String where = "JSON schema, at " + pattern.pointer();
        texts = texts.and(CharDfa.of(Regex.part(pattern.schema().textValue(), where)));
      }
      for (String format : formats) {
        texts = texts.and(Formats.of(format));
      }
    }
    return texts;
  }

  /// Where numbers are asked something of, for messages.
  String numberWhere() {
    return "JSON schema, at " + (numberPlace == null ? "" : numberPlace.pointer());
  }

  /// The schemas that a property of this name follows; one of them is false if it may not be there.
  List<Located> property(String name) {
    var found = new ArrayList<Located>();
    for (Located part : objectParts) {
      JsonNode schema = part.schema();
      boolean known = false;
      if (schema.path("properties").has(name)) {
        found.add(part.at("properties", name));
        known = true;
      }
      for (String pattern : patterns(part)) {
        if (names(part, pattern).matches(name)) {
          found.add(part.at("patternProperties", pattern));
          known = true;
        }
      }
      if (!known && schema.has("additionalProperties")) {
        found.add(part.at("additionalProperties"));
      }
      if (schema.has("propertyNames")
          && !schemas.admits(TextNode.valueOf(name), List.of(part.at("propertyNames")))) {
        return List.of(new Located(BooleanNode.FALSE, part.pointer() + "/propertyNames"));
      }
    }
    return found;
  }

  /// The names that a pattern of `patternProperties` is for.
  static CharDfa names(Located part, String pattern) {
    return CharDfa.of(
        Regex.part(pattern, "JSON schema, at " + part.pointer() + "/patternProperties"));
  }

  static List<String> patterns(Located part) {
    var patterns = new ArrayList<String>();
    part.schema().path("patternProperties").fieldNames().forEachRemaining(patterns::add);
    return patterns;
  }

  /// The schemas that the item at a place follows.
  List<Located> item(int index) {
    var found = new ArrayList<Located>();
    for (Located part : arrayParts) {
      if (index < part.schema().path("prefixItems").size()) {
        found.add(part.at("prefixItems", "" + index));
      } else if (part.schema().has("items")) {
        found.add(part.at("items"));
      }
    }
    return found;
  }

  /// How many items have places of their own.
  int prefix() {
    return arrayParts.stream().mapToInt(p -> p.schema().path("prefixItems").size()).max().orElse(0);
  }

  /// Whether a value is as it is asked.
  boolean admits(JsonNode value) {
    if (!kinds.contains(kind(value)) || (values != null && !values.containsKey(key(value)))) {
      return false;
    }
    return switch (kind(value)) {
      case NULL, BOOLEAN -> true;
      case INTEGER, FRACTION ->
          range.contains(value.decimalValue())
              && multiples.stream()
                  .allMatch(m -> m.signum() > 0 && value.decimalValue().remainder(m).signum() == 0);
      case STRING -> texts().matches(value.textValue());
      case OBJECT ->
          value.size() >= minProperties
              && (maxProperties == Expr.UNBOUNDED || value.size() <= maxProperties)
              && required.stream().allMatch(value::has)
              && value.properties().stream()
                  .allMatch(e -> schemas.admits(e.getValue(), property(e.getKey())));
      case ARRAY -> admitsItems(value);
    };
  }

  private boolean admitsItems(JsonNode array) {
    if (array.size() < minItems || (maxItems != Expr.UNBOUNDED && array.size() > maxItems)) {
      return false;
    }
    var before = new HashSet<String>();
    for (int i = 0; i < array.size(); i++) {
      boolean isNew = before.add(key(array.get(i)));
      if (!schemas.admits(array.get(i), item(i)) || (uniqueItems && !isNew)) {
        return false;
      }
    }
    return true;
  }

  /// Whether it is certain that no value is as both ask.
  boolean isDisjoint(Conjunct other, int depth) {
    if (values != null || other.values != null) {
      var asked = values != null ? this : other;
      var rest = values != null ? other : this;
      return asked.values().stream().noneMatch(rest::admits);
    }
    var common = EnumSet.copyOf(kinds);
    common.retainAll(other.kinds);
    return common.stream().allMatch(kind -> isDisjoint(kind, other, depth));
  }

  private boolean isDisjoint(Kind kind, Conjunct other, int depth) {
    return switch (kind) {
      case NULL, BOOLEAN -> false;
      case INTEGER, FRACTION -> {
        Range both = range;
        if (other.range.min() != null) {
          both = both.atLeast(other.range.min(), other.range.aboveMin());
        }
        if (other.range.max() != null) {
          both = both.atMost(other.range.max(), other.range.belowMax());
        }
        yield both.isEmpty();
      }
      case STRING -> texts().and(other.texts()).isEmpty();
      case ARRAY ->
          (maxItems != Expr.UNBOUNDED && maxItems < other.minItems)
              || (other.maxItems != Expr.UNBOUNDED && other.maxItems < minItems);
      case OBJECT -> {
        var names = new LinkedHashSet<>(required);
        names.addAll(other.required);
        yield depth < DEEPEST
            && names.stream()
                .anyMatch(
                    name -> {
                      var mine = schemas.alternatives(property(name));
                      var others = schemas.alternatives(other.property(name));
                      boolean bothAsk = required.contains(name) && other.required.contains(name);
                      return required.contains(name) && others.isEmpty()
                          || other.required.contains(name) && mine.isEmpty()
                          || bothAsk
                              && mine.stream()
                                  .allMatch(
                                      a ->
                                          others.stream()
                                              .allMatch(b -> a.isDisjoint(b, depth + 1)));
                    });
      }
    };
  }
}
