package io.gatun.models.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The arguments of one call, taken by place or by name; [#done] refuses those that nobody took.
final class Arguments {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  private final List<Object> positional;
  private final Map<String, Object> named;
  private int taken;

  Arguments(List<Object> positional, Map<String, Object> named) {
    this.positional = positional;
    this.named = new LinkedHashMap<>(named);
  }

  static Arguments of(Object... positional) {
    var list = new ArrayList<Object>();
    for (Object each : positional) {
      list.add(each);
    }
    return new Arguments(list, Map.of());
  }

  /// The next argument by place, else that of the name, else `otherwise`.
  Object take(String name, Object otherwise) {
    if (taken < positional.size()) {
      return positional.get(taken++);
    }
    return named.containsKey(name) ? named.remove(name) : otherwise;
  }

  /// The next argument, which must be there.
  Object need(String name) {
    if (!has(name)) {
      throw new TemplateError("the argument '%s' is missing".formatted(name));
    }
    return take(name, null);
  }

  boolean has(String name) {
    return taken < positional.size() || named.containsKey(name);
  }

  /// The argument of the name only.
  Object takeNamed(String name, Object otherwise) {
    return named.containsKey(name) ? named.remove(name) : otherwise;
  }

  boolean hasPositional() {
    return taken < positional.size();
  }

  int takeInt(String name, int otherwise) {
    return has(name) ? Numbers.toInt(take(name, null), name) : otherwise;
  }

  boolean takeFlag(String name, boolean otherwise) {
    return Values.isTrue(take(name, otherwise));
  }

  /// The next argument, which must be a text.
  Text needText(String name) {
    return text(need(name), name);
  }

  /// The next argument, a text or none; null if it is not there.
  Text takeText(String name) {
    Object value = take(name, null);
    return value == null ? null : text(value, name);
  }

  private static Text text(Object value, String name) {
    if (value instanceof Text text) {
      return text;
    }
    throw new TemplateError(
        "'%s' is of type '%s'; need a string".formatted(name, Values.typeName(value)));
  }

  /// The rest by place.
  List<Object> rest() {
    List<Object> rest = positional.subList(taken, positional.size());
    taken = positional.size();
    return rest;
  }

  /// The rest by name.
  Map<String, Object> restNamed() {
    var rest = new LinkedHashMap<>(named);
    named.clear();
    return rest;
  }

  /// @throws TemplateError if an argument is left over
  void done(String function) {
    if (taken < positional.size()) {
      throw new TemplateError(
          "%s takes %d arguments; found %d".formatted(function, taken, positional.size()));
    }
    if (!named.isEmpty()) {
      throw new TemplateError(
          "%s has no argument '%s'".formatted(function, named.keySet().iterator().next()));
    }
  }
}
