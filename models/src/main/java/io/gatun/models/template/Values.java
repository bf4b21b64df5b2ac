package io.gatun.models.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a template's values are: `null` for none, `Boolean`, `Long` and `BigInteger`, `Double`,
/// [Text], and the types here. There is nothing else, and no reflection.
final class Values {
  /// Of what Java code hands in; JSON readers allow fewer.
  private static final int MAX_DEPTH = 200;

  private Values() {}

  /// How Python would call a sequence, which decides how it is printed and tested.
  enum Kind {
    LIST("list"),
    TUPLE("tuple"),
    /// A pair of `groupby`, whose places have names.
    GROUP("tuple"),
    /// The result of `map` or `select`: true even if empty, without a length.
    ITERATOR("generator"),
    KEYS("dict_keys"),
    VALUES("dict_values"),
    ITEMS("dict_items");

    private final String python;

    Kind(String python) {
      this.python = python;
    }
  }

  /// Values in an order. Never changed after it is made.
  record Seq(List<Object> items, Kind kind) {
    static Seq list(List<Object> items) {
      return new Seq(items, Kind.LIST);
    }

    static Seq tuple(Object... items) {
      var list = new ArrayList<Object>();
      for (Object item : items) {
        list.add(item);
      }
      return new Seq(list, Kind.TUPLE);
    }

    static Seq iterator(List<Object> items) {
      return new Seq(items, Kind.ITERATOR);
    }

    boolean isTuple() {
      return kind == Kind.TUPLE || kind == Kind.GROUP;
    }

    boolean isSequence() {
      return kind == Kind.LIST || isTuple();
    }
  }

  /// Keys and values in the order in which they were put. Never changed after it is made.
  record Dict(Map<Object, Object> entries) {
    /// The value, or [Undefined].
    Object get(Object key) {
      Object known = isKey(key) ? key(key) : null;
      Object value = entries.get(known);
      return value == null && !entries.containsKey(known)
          ? new Undefined("'dict object' has no attribute " + named(key))
          : value;
    }

    boolean has(Object key) {
      return entries.containsKey(key(key));
    }

    /// The form in which equal keys are one: 1, 1.0 and true are.
    ///
    /// @throws TemplateError if a list or mapping is meant to be a key
    static Object key(Object key) {
      if (!isKey(key)) {
        throw new TemplateError("unhashable type: '%s'".formatted(typeName(key)));
      }
      return switch (key) {
        case Boolean b -> b ? 1L : 0L;
        case Double d when d == d.longValue() && Math.abs(d) < 0x1p53 -> d.longValue();
        case null, default -> key;
      };
    }

    private static boolean isKey(Object key) {
      return !(key instanceof Seq || key instanceof Dict);
    }
  }

  /// What a name without a value stands for: printed as nothing, false, empty; all else is an
  /// error.
  record Undefined(String why) {
    TemplateError error() {
      return new TemplateError(why);
    }
  }

  /// The fields that `set ns.x = ...` changes.
  record Namespace(Map<String, Object> fields) {
    @Override
    public boolean equals(Object other) {
      return this == other;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(this);
    }
  }

  /// What `f(...)` calls.
  interface Body {
    Object call(Arguments arguments, Run run);
  }

  /// A function, a method with its object, or a macro, whose attributes are in `fields`.
  record Function(String name, Body body, Map<String, Object> fields) {
    Function(String name, Body body) {
      this(name, body, Map.of());
    }

    @Override
    public boolean equals(Object other) {
      return this == other;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(this);
    }
  }

  /// A value of Java's, as JSON readers make them; its strings are data.
  ///
  /// @throws IllegalArgumentException if there is something else in it, or it contains itself
  static Object of(Object value) {
    return of(value, 0);
  }

  private static Object of(Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException(
          "a value for the chat template contains itself, or more than %d levels"
              .formatted(MAX_DEPTH));
    }
    return switch (value) {
      case null -> null;
      case Boolean b -> b;
      case CharSequence text -> Text.data(text.toString());
      case Text text -> text;
      case Byte n -> n.longValue();
      case Short n -> n.longValue();
      case Integer n -> n.longValue();
      case Long n -> n;
      case BigInteger n -> Numbers.of(n);
      case Float x -> x.doubleValue();
      case Double x -> x;
      case BigDecimal x -> x.doubleValue();
      case Map<?, ?> map -> {
        var entries = new LinkedHashMap<Object, Object>();
        map.forEach((key, each) -> entries.put(Dict.key(of(key, depth + 1)), of(each, depth + 1)));
        yield new Dict(entries);
      }
      case Iterable<?> list -> {
        var items = new ArrayList<Object>();
        list.forEach(each -> items.add(of(each, depth + 1)));
        yield Seq.list(items);
      }
      default ->
          throw new IllegalArgumentException(
              ("a value for the chat template is a %s; need strings, numbers, booleans, null, lists"
                      + " and maps of them")
                  .formatted(value.getClass().getName()));
    };
  }

  /// The number of characters in a value's strings, which a rendering may take time for.
  static long size(Object value) {
    return switch (value) {
      case Text text -> text.chars().length();
      case Seq seq -> seq.items().stream().mapToLong(Values::size).sum() + seq.items().size();
      case Dict dict ->
          size(Seq.list(List.copyOf(dict.entries().keySet())))
              + dict.entries().values().stream().mapToLong(Values::size).sum();
      case null, default -> 0;
    };
  }

  /// A key for an error message.
  static String named(Object key) {
    return switch (key) {
      case Text text when text.chars().length() > 60 ->
          "'" + text.chars().substring(0, 60) + "...'";
      case Text text -> "'" + text + "'";
      case Long n -> n.toString();
      case null, default -> "of type " + typeName(key);
    };
  }

  /// As Python calls the type.
  static String typeName(Object value) {
    return switch (value) {
      case null -> "NoneType";
      case Boolean _ -> "bool";
      case Long _, BigInteger _ -> "int";
      case Double _ -> "float";
      case Text _ -> "str";
      case Seq seq -> seq.kind().python;
      case Dict _ -> "dict";
      case Undefined _ -> "Undefined";
      case Namespace _ -> "Namespace";
      default -> "function";
    };
  }

  static boolean isTrue(Object value) {
    return switch (value) {
      case null -> false;
      case Boolean b -> b;
      case Long n -> n != 0;
      case Double x -> x != 0;
      case Text text -> !text.isEmpty();
      case Seq seq -> seq.kind() == Kind.ITERATOR || !seq.items().isEmpty();
      case Dict dict -> !dict.entries().isEmpty();
      case Undefined _ -> false;
      default -> true;
    };
  }

  /// What a loop over the value goes through.
  static List<Object> iterate(Object value, Run run) {
    return switch (value) {
      case Seq seq -> seq.items();
      case Dict dict -> {
        run.charge(dict.entries().size());
        yield new ArrayList<>(dict.entries().keySet());
      }
      case Text text -> {
        int n = text.length();
        run.charge(8L * n);
        var characters = new ArrayList<Object>(n);
        for (int i = 0; i < text.chars().length(); ) {
          int end = i + Character.charCount(text.chars().codePointAt(i));
          characters.add(text.sub(i, end));
          i = end;
        }
        yield characters;
      }
      case Undefined _ -> List.of();
      case null, default ->
          throw new TemplateError("'%s' object is not iterable".formatted(typeName(value)));
    };
  }

  static long length(Object value) {
    return switch (value) {
      case Seq seq when seq.kind() != Kind.ITERATOR -> seq.items().size();
      case Dict dict -> dict.entries().size();
      case Text text -> text.length();
      case Undefined _ -> 0;
      case null, default ->
          throw new TemplateError("object of type '%s' has no len()".formatted(typeName(value)));
    };
  }

  /// Python's `==`.
  static boolean equal(Object a, Object b, Run run) {
    if (a == b) {
      return true;
    }
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      return Numbers.compare(a, b) == 0;
    }
    if (a instanceof Text s && b instanceof Text t) {
      run.chargeChars(Math.min(s.chars().length(), t.chars().length()));
      return s.equals(t);
    }
    run.enter();
    boolean same =
        switch (a) {
          case Seq s when b instanceof Seq t -> s.kind() == t.kind() && equalItems(s, t, run);
          case Dict s when b instanceof Dict t -> equalEntries(s, t, run);
          case Undefined _ -> b instanceof Undefined;
          case null, default -> false;
        };
    run.leave();
    return same;
  }

  private static boolean equalItems(Seq a, Seq b, Run run) {
    if (a.items().size() != b.items().size()) {
      return false;
    }
    for (int i = 0; i < a.items().size(); i++) {
      if (!equal(a.items().get(i), b.items().get(i), run)) {
        return false;
      }
    }
    return true;
  }

  private static boolean equalEntries(Dict a, Dict b, Run run) {
    if (a.entries().size() != b.entries().size()) {
      return false;
    }
    for (Map.Entry<Object, Object> entry : a.entries().entrySet()) {
      if (!b.entries().containsKey(entry.getKey())
          || !equal(entry.getValue(), b.entries().get(entry.getKey()), run)) {
        return false;
      }
    }
    return true;
  }

  /// Python's order, for `<` and sorting.
  ///
  /// @throws TemplateError if Python has none for these types
  static int compare(Object a, Object b, Run run) {
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      run.charge(1);
      return Numbers.compare(a, b);
    }
    if (a instanceof Text s && b instanceof Text t) {
      run.chargeChars(Math.min(s.chars().length(), t.chars().length()));
      return s.compareTo(t);
    }
    if (a instanceof Seq s && b instanceof Seq t && s.isSequence() && s.kind() == t.kind()) {
      run.enter();
      int n = Math.min(s.items().size(), t.items().size());
      int order = Integer.compare(s.items().size(), t.items().size());
      for (int i = 0; i < n; i++) {
        if (!equal(s.items().get(i), t.items().get(i), run)) {
          order = compare(s.items().get(i), t.items().get(i), run);
          break;
        }
      }
      run.leave();
      return order;
    }
    if (a instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (b instanceof Undefined undefined) {
      throw undefined.error();
    }
    throw new TemplateError(
        "'<' not supported between instances of '%s' and '%s'".formatted(typeName(a), typeName(b)));
  }

  /// Python's `in`.
  static boolean contains(Object container, Object value, Run run) {
    return switch (container) {
      case Text text when value instanceof Text part -> {
        run.chargeSearch(text, part);
        yield text.chars().contains(part.chars());
      }
      case Text _ ->
          throw new TemplateError(
              "'in <string>' requires string as left operand, not " + typeName(value));
      case Dict dict -> dict.has(value);
      case Seq seq -> {
        for (Object item : seq.items()) {
          run.charge(1);
          if (equal(item, value, run)) {
            yield true;
          }
        }
        yield false;
      }
      case Undefined _ -> false;
      case null, default ->
          throw new TemplateError(
              "argument of type '%s' is not iterable".formatted(typeName(container)));
    };
  }
}
