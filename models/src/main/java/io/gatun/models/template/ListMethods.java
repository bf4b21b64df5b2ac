package io.gatun.models.template;

import io.gatun.models.template.Values.Body;
import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Kind;
import io.gatun.models.template.Values.Seq;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The methods of lists and mappings, but for those that would change them: like Jinja's immutable
/// sandbox, there are none.
final class ListMethods {
  private ListMethods() {}

  /// A list's method, or null; of a pair of `groupby`, a place.
  static Object find(Seq seq, String name) {
    if (seq.kind() == Kind.GROUP && (name.equals("grouper") || name.equals("list"))) {
      return seq.items().get(name.equals("list") ? 1 : 0);
    }
    Body body =
        switch (name) {
          case "count" -> (arguments, run) -> (long) matches(seq, arguments, run).size();
          case "index" -> (arguments, run) -> index(matches(seq, arguments, run));
          case "copy" -> (arguments, run) -> seq;
          default -> null;
        };
    return body == null || !seq.isSequence() ? null : method(name, body);
  }

  /// A mapping's method, or null.
  static Object find(Dict dict, String name) {
    Body body =
        switch (name) {
          case "get" ->
              (arguments, run) -> {
                Object key = arguments.need("key");
                Object otherwise = arguments.take("default", null);
                return dict.has(key) ? dict.get(key) : otherwise;
              };
          case "items" -> (arguments, run) -> new Seq(items(dict, run), Kind.ITEMS);
          case "keys" -> (arguments, run) -> new Seq(keys(dict, run), Kind.KEYS);
          case "values" ->
              (arguments, run) -> {
                run.charge(dict.entries().size());
                return new Seq(new ArrayList<>(dict.entries().values()), Kind.VALUES);
              };
          case "copy" -> (arguments, run) -> dict;
          default -> null;
        };
    return body == null ? null : method(name, body);
  }

  /// A method that refuses arguments that it does not take.
  static Function method(String name, Body body) {
    return new Function(
        name,
        (arguments, run) -> {
          Object result = body.call(arguments, run);
          arguments.done(name);
          return result;
        });
  }

  static List<Object> keys(Dict dict, Run run) {
    run.charge(dict.entries().size());
    return new ArrayList<>(dict.entries().keySet());
  }

  /// Pairs of key and value.
  static List<Object> items(Dict dict, Run run) {
    run.charge(4L * dict.entries().size());
    var items = new ArrayList<Object>();
    for (Map.Entry<Object, Object> entry : dict.entries().entrySet()) {
      items.add(Seq.tuple(entry.getKey(), entry.getValue()));
    }
    return items;
  }

  private static List<Integer> matches(Seq seq, Arguments arguments, Run run) {
    Object wanted = arguments.need("value");
    var found = new ArrayList<Integer>();
    for (int i = 0; i < seq.items().size(); i++) {
      run.charge(1);
      if (Values.equal(seq.items().get(i), wanted, run)) {
        found.add(i);
      }
    }
    return found;
  }

  private static Object index(List<Integer> matches) {
    if (matches.isEmpty()) {
      throw new TemplateError("the value is not in the list");
    }
    return (long) matches.getFirst();
  }
}
