package io.gatun.models.constraint.json;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Expr.Rule;
import io.gatun.models.constraint.json.Conjunct.Kind;
import io.gatun.models.constraint.json.Schemas.Located;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/// Turns a JSON schema into rules for the JSON that is valid by it.
///
/// Properties come in the order of the schema, those that it does not list after them. Names,
/// constants and strings with a pattern are spelled plainly, with no more escapes than JSON needs.
/// What cannot be enforced is refused.
public final class JsonSchema {
  private static final int MOST_UNIQUE = 8;
  private static final int MOST_PREFIX = 200;
  private static final int MOST_REGIONS = 64;
  private static final int MOST_COUNTED_MEMBERS = 20_000;

  private final Schemas schemas;
  private final JsonText json = new JsonText();
  private final Map<String, Rule> rules = new HashMap<>();
  private final ArrayDeque<Runnable> pending = new ArrayDeque<>();

  private JsonSchema(Schemas schemas) {
    this.schemas = schemas;
  }

  public static Rule compile(String text) {
    var schemas = Schemas.read(text);
    var compiler = new JsonSchema(schemas);
    var root = new Rule("root", compiler.value(List.of(schemas.root())));
    while (!compiler.pending.isEmpty()) {
      compiler.pending.remove().run();
    }
    return root;
  }

  /// Values that follow all of these schemas.
  private Expr value(List<Located> all) {
    if (all.isEmpty()) {
      return json.any();
    }
    String key = Schemas.key(all);
    Rule known = rules.get(key);
    if (known == null) {
      var rule = new Rule(key);
      rules.put(key, rule);
      pending.add(() -> rule.body = body(all));
      known = rule;
    }
    return new Expr.Call(known);
  }

  private Expr body(List<Located> all) {
    List<Located> choice = schemas.plainChoice(all);
    if (!choice.isEmpty()) {
      return new Expr.Choice(choice.stream().map(option -> value(List.of(option))).toList());
    }
    return new Expr.Choice(schemas.alternatives(all).stream().map(this::value).toList());
  }

  private Expr value(Conjunct asked) {
    if (asked.hasValues()) {
      return new Expr.Choice(asked.values().stream().map(json::value).toList());
    }
    if (asked.asksNothing()) {
      return json.any();
    }
    var options = new ArrayList<Expr>();
    for (Kind kind : asked.kinds) {
      options.add(
          switch (kind) {
            case NULL -> Expr.text("null");
            case BOOLEAN -> Expr.choice(Expr.text("true"), Expr.text("false"));
            case STRING ->
                asked.hasPattern()
                    ? JsonText.string(asked.texts())
                    : string(asked.minLength, asked.maxLength);
            case INTEGER -> asked.kinds.contains(Kind.FRACTION) ? Expr.NOTHING : integer(asked);
            case FRACTION -> number(asked);
            case OBJECT -> object(asked);
            case ARRAY -> array(asked);
          });
    }
    return new Expr.Choice(options);
  }

  private Expr string(int min, int max) {
    if (max != Expr.UNBOUNDED && max < min) {
      return Expr.NOTHING;
    }
    return min == 0 && max == Expr.UNBOUNDED ? json.string : json.string(min, max);
  }

  private static Expr integer(Conjunct asked) {
    return asked.range.isAll() && asked.multiples.isEmpty()
        ? Expr.rule("integer", Numbers.anyInteger())
        : machine(Numbers.integers(asked.range, asked.multiples, asked.numberWhere()));
  }

  private static Expr number(Conjunct asked) {
    if (!asked.kinds.contains(Kind.INTEGER)) {
      throw new IllegalStateException("no keyword asks for fractions alone");
    }
    return asked.range.isAll() && asked.multiples.isEmpty()
        ? Expr.rule("number", Numbers.any())
        : machine(Numbers.decimals(asked.range, asked.multiples, asked.numberWhere()));
  }

  private static Expr machine(CharDfa numbers) {
    return Expr.rule("number", new Expr.Machine(numbers, Expr.Chars::new));
  }

  private Expr object(Conjunct asked) {
    var names = new LinkedHashSet<String>();
    for (Located part : asked.objectParts) {
      part.schema().path("properties").fieldNames().forEachRemaining(names::add);
    }
    names.addAll(asked.required);
    var members = new ArrayList<Expr.Member>();
    for (String name : names) {
      Expr value = value(asked.property(name));
      boolean required = asked.required.contains(name);
      members.add(new Expr.Member(json.member(JsonText.name(name), value), required));
    }
    Expr extra = extra(asked, List.copyOf(names));
    int max = asked.maxProperties;
    if (extra == Expr.NOTHING && max >= names.size()) {
      max = Expr.UNBOUNDED;
    }
    if (max != Expr.UNBOUNDED && max < asked.minProperties) {
      return Expr.NOTHING;
    }
    if (extra != Expr.NOTHING && asked.minProperties > names.size() + 1) {
      throw asked.place.error(
          "minProperties %d needs several names that properties does not list, which cannot be kept from being the same. List them, or lower it"
              .formatted(asked.minProperties));
    }
    if ((long) Math.max(asked.minProperties, max) * names.size() > MOST_COUNTED_MEMBERS
        || Math.max(asked.minProperties, max) > MOST_COUNTED_MEMBERS) {
      throw asked.place.error(
          "minProperties or maxProperties is too large for %d properties; their product may be %,d"
              .formatted(names.size(), MOST_COUNTED_MEMBERS));
    }
    return json.object(members, extra == Expr.NOTHING ? null : extra, asked.minProperties, max);
  }

  /// A property whose name is none of these.
  private Expr extra(Conjunct asked, List<String> names) {
    CharDfa others = CharDfa.ANY.minus(CharDfa.of(names));
    var patterns = new LinkedHashSet<String>();
    var pattern = new HashMap<String, CharDfa>();
    for (Located part : asked.objectParts) {
      if (part.schema().has("propertyNames")) {
        others = others.and(strings(List.of(part.at("propertyNames"))));
      }
      for (String some : Conjunct.patterns(part)) {
        patterns.add(some);
        pattern.put(some, Conjunct.names(part, some));
      }
    }
    boolean any = names.isEmpty() && patterns.isEmpty() && hasNoNames(asked);
    var regions = new HashMap<List<String>, CharDfa>(); // names by the patterns that they match
    regions.put(List.of(), others);
    for (String some : patterns) {
      for (var region : List.copyOf(regions.entrySet())) {
        var with = new ArrayList<>(region.getKey());
        with.add(some);
        regions.put(with, region.getValue().and(pattern.get(some)));
        regions.put(region.getKey(), region.getValue().minus(pattern.get(some)));
      }
      regions.values().removeIf(CharDfa::isEmpty);
      if (regions.size() > MOST_REGIONS) {
        throw asked.place.error(
            "patternProperties overlap in more than %d ways".formatted(MOST_REGIONS));
      }
    }
    var options = new ArrayList<Expr>();
    regions.forEach(
        (matched, texts) -> {
          List<Located> all = extraSchemas(asked, matched);
          if (!schemas.alternatives(all).isEmpty()) {
            options.add(json.member(any ? json.string : JsonText.string(texts), value(all)));
          }
        });
    return options.isEmpty() ? Expr.NOTHING : Expr.rule("property", new Expr.Choice(options));
  }

  private static boolean hasNoNames(Conjunct asked) {
    return asked.objectParts.stream().noneMatch(part -> part.schema().has("propertyNames"));
  }

  private static List<Located> extraSchemas(Conjunct asked, List<String> matched) {
    var all = new ArrayList<Located>();
    for (Located part : asked.objectParts) {
      int before = all.size();
      for (String pattern : Conjunct.patterns(part)) {
        if (matched.contains(pattern)) {
          all.add(part.at("patternProperties", pattern));
        }
      }
      if (all.size() == before && part.schema().has("additionalProperties")) {
        all.add(part.at("additionalProperties"));
      }
    }
    return all;
  }

  /// The strings among the values of these schemas.
  private CharDfa strings(List<Located> all) {
    CharDfa strings = CharDfa.of(List.of());
    for (Conjunct asked : schemas.alternatives(all)) {
      if (asked.hasValues()) {
        var texts =
            asked.values().stream().filter(JsonNode::isTextual).map(JsonNode::textValue).toList();
        strings = strings.or(CharDfa.of(texts));
      } else if (asked.kinds.contains(Kind.STRING)) {
        strings = strings.or(asked.texts());
      }
    }
    return strings;
  }

  private Expr array(Conjunct asked) {
    int max = asked.maxItems;
    int min = asked.minItems;
    if (max != Expr.UNBOUNDED && max < min) {
      return Expr.NOTHING;
    }
    int prefix = asked.prefix();
    if (prefix > MOST_PREFIX) {
      throw asked.place.error(
          "prefixItems has %d schemas; at most %d are supported".formatted(prefix, MOST_PREFIX));
    }
    List<Located> rest = asked.item(prefix);
    if (asked.uniqueItems && max != 0 && max != 1) {
      return unique(asked, prefix, rest);
    }
    var first = new ArrayList<Expr>();
    for (int i = 0; i < prefix; i++) {
      first.add(value(asked.item(i)));
    }
    boolean more = schemas.alternatives(rest).isEmpty();
    return json.array(first, more ? null : value(rest), min, max);
  }

  /// Arrays of different values out of a few: a rule for each set of values that have come.
  private Expr unique(Conjunct asked, int prefix, List<Located> item) {
    var all = prefix > 0 ? List.<Conjunct>of() : schemas.alternatives(item);
    var values = new LinkedHashSet<String>();
    var exprs = new ArrayList<Expr>();
    boolean finite = prefix == 0;
    for (Conjunct one : all) {
      if (!one.hasValues()) {
        boolean small = EnumSet.of(Kind.NULL, Kind.BOOLEAN).containsAll(one.kinds);
        finite &= small;
        if (small && one.kinds.contains(Kind.NULL) && values.add("null")) {
          exprs.add(Expr.text("null"));
        }
        for (String text : List.of("true", "false")) {
          if (small && one.kinds.contains(Kind.BOOLEAN) && values.add(text)) {
            exprs.add(Expr.text(text));
          }
        }
      } else {
        for (var value : one.values()) {
          if (values.add(value.toString())) {
            exprs.add(json.value(value));
          }
        }
      }
    }
    int n = exprs.size();
    if (!finite || n > MOST_UNIQUE) {
      throw asked.place.error(
          "uniqueItems is supported for items of an enum of at most %d values only; leave it out, or give such an enum"
              .formatted(MOST_UNIQUE));
    }
    int most = asked.maxItems == Expr.UNBOUNDED ? n : Math.min(n, asked.maxItems);
    var sets = new Rule[1 << n];
    Arrays.setAll(sets, set -> new Rule("different-" + set));
    for (int set = 0; set < sets.length; set++) {
      int size = Integer.bitCount(set);
      var options = new ArrayList<Expr>();
      if (size >= asked.minItems) {
        options.add(Expr.EMPTY);
      }
      for (int i = 0; i < n && size < most; i++) {
        if ((set >> i & 1) == 0) {
          var next = new Expr.Call(sets[set | 1 << i]);
          options.add(Expr.sequence(size == 0 ? Expr.EMPTY : json.comma, exprs.get(i), next));
        }
      }
      sets[set].body = new Expr.Choice(options);
    }
    return Expr.sequence(
        Expr.text("["), json.space, new Expr.Call(sets[0]), json.space, Expr.text("]"));
  }
}
