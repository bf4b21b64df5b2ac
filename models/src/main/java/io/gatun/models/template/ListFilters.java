package io.gatun.models.template;

import io.gatun.models.template.Filters.Filter;
import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Kind;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// The filters on lists.
final class ListFilters {
  private ListFilters() {}

  static void putAll(Map<String, Filter> all) {
    all.put("list", (value, arguments, run) -> Seq.list(new ArrayList<>(items(value, run))));
    all.put("first", (value, arguments, run) -> end(items(value, run), true));
    all.put("last", (value, arguments, run) -> end(items(value, run), false));
    all.put("join", ListFilters::join);
    all.put("reverse", ListFilters::reverse);
    all.put("sort", ListFilters::sort);
    all.put("unique", ListFilters::unique);
    all.put("min", (value, arguments, run) -> extreme(value, arguments, 1, run));
    all.put("max", (value, arguments, run) -> extreme(value, arguments, -1, run));
    all.put("sum", ListFilters::sum);
    all.put("map", ListFilters::map);
    all.put("select", (value, arguments, run) -> select(value, arguments, false, true, run));
    all.put("reject", (value, arguments, run) -> select(value, arguments, false, false, run));
    all.put("selectattr", (value, arguments, run) -> select(value, arguments, true, true, run));
    all.put("rejectattr", (value, arguments, run) -> select(value, arguments, true, false, run));
    all.put("groupby", ListFilters::groupBy);
    all.put("dictsort", ListFilters::dictSort);
    all.put("batch", ListFilters::batch);
    all.put("slice", ListFilters::slice);
  }

  private static List<Object> items(Object value, Run run) {
    List<Object> items = Values.iterate(value, run);
    run.charge(items.size());
    return items;
  }

  private static Object end(List<Object> items, boolean first) {
    if (items.isEmpty()) {
      return new Undefined("there is no item in an empty sequence");
    }
    return first ? items.getFirst() : items.getLast();
  }

  private static Object join(Object value, Arguments arguments, Run run) {
    Text separator = Strings.soft(arguments.take("d", Text.EMPTY), run);
    Object attribute = arguments.take("attribute", null);
    List<Object> items = items(value, run);
    return Strings.join(
        separator, attribute == null ? items : each(items, field(attribute, run)), false, run);
  }

  private static List<Object> each(List<Object> items, UnaryOperator<Object> change) {
    var changed = new ArrayList<Object>(items.size());
    for (Object item : items) {
      changed.add(change.apply(item));
    }
    return changed;
  }

  /// What the argument `attribute` picks of an item: `"function.name"`, or an index.
  private static UnaryOperator<Object> field(Object attribute, Run run) {
    List<Object> path =
        attribute instanceof Text text
            ? Strings.split(text, Text.own("."), -1, false, run).items()
            : List.of(attribute);
    return item -> {
      Object value = item;
      for (Object part : path) {
        boolean index = part instanceof Text text && text.chars().matches("\\d{1,9}");
        value = Access.item(value, index ? Long.valueOf(part.toString()) : part, run);
      }
      return value;
    };
  }

  private static Object reverse(Object value, Arguments arguments, Run run) {
    if (value instanceof Text text) {
      return Access.slice(text, null, null, -1L, run);
    }
    return Seq.iterator(new ArrayList<>(items(value, run).reversed()));
  }

  private static UnaryOperator<Object> keyOf(Object attribute, boolean caseSensitive, Run run) {
    UnaryOperator<Object> field = attribute == null ? item -> item : field(attribute, run);
    return caseSensitive ? field : item -> TextMethods.folded(field.apply(item));
  }

  private static void sort(
      List<Object> items, UnaryOperator<Object> key, boolean reverse, Run run) {
    Comparator<Object> order =
        (a, b) -> {
          int c = Values.compare(key.apply(a), key.apply(b), run);
          return c == 2 ? 0 : c; // NaN
        };
    try {
      items.sort(reverse ? Collections.reverseOrder(order) : order);
    } catch (IllegalArgumentException e) {
      throw new TemplateError("values that have no order cannot be sorted");
    }
  }

  private static Object sort(Object value, Arguments arguments, Run run) {
    boolean reverse = arguments.takeFlag("reverse", false);
    boolean caseSensitive = arguments.takeFlag("case_sensitive", false);
    Object attribute = arguments.take("attribute", null);
    var sorted = new ArrayList<>(items(value, run));
    List<Object> keys =
        attribute instanceof Text text
            ? Strings.split(text, Text.own(","), -1, false, run).items()
            : Collections.singletonList(attribute);
    // Sorting is stable: the last key first.
    for (Object key : keys.reversed()) {
      sort(sorted, keyOf(key, caseSensitive, run), reverse, run);
    }
    return Seq.list(sorted);
  }

  private static Object unique(Object value, Arguments arguments, Run run) {
    boolean caseSensitive = arguments.takeFlag("case_sensitive", false);
    UnaryOperator<Object> key = keyOf(arguments.take("attribute", null), caseSensitive, run);
    var seen = new LinkedHashSet<Object>();
    var kept = new ArrayList<Object>();
    for (Object item : items(value, run)) {
      run.charge(4);
      if (seen.add(Dict.key(key.apply(item)))) {
        kept.add(item);
      }
    }
    return Seq.iterator(kept);
  }

  /// The least for `sign` 1, the greatest for -1; the first of equals.
  private static Object extreme(Object value, Arguments arguments, int sign, Run run) {
    boolean caseSensitive = arguments.takeFlag("case_sensitive", false);
    UnaryOperator<Object> key = keyOf(arguments.take("attribute", null), caseSensitive, run);
    List<Object> items = items(value, run);
    if (items.isEmpty()) {
      return new Undefined("No aggregated item, sequence was empty.");
    }
    Object best = items.getFirst();
    for (Object item : items) {
      int order = Values.compare(key.apply(item), key.apply(best), run);
      best = order == -sign ? item : best;
    }
    return best;
  }

  private static Object sum(Object value, Arguments arguments, Run run) {
    Object attribute = arguments.take("attribute", null);
    Object total = arguments.take("start", 0L);
    List<Object> items = items(value, run);
    for (Object item : attribute == null ? items : each(items, field(attribute, run))) {
      total = Operators.arithmetic("+", total, item, run);
    }
    return total;
  }

  /// As [#items], but anything false counts as empty.
  private static List<Object> itemsIfAny(Object value, Run run) {
    return Values.isTrue(value) ? items(value, run) : List.of();
  }

  private static Object map(Object value, Arguments arguments, Run run) {
    List<Object> items = itemsIfAny(value, run);
    if (!arguments.hasPositional()) {
      UnaryOperator<Object> field = field(arguments.need("attribute"), run);
      Object otherwise = arguments.take("default", null);
      return Seq.iterator(
          each(
              items,
              item -> {
                Object picked = field.apply(item);
                return picked instanceof Undefined && otherwise != null ? otherwise : picked;
              }));
    }
    String name = arguments.needText("filter").chars();
    List<Object> positional = arguments.rest();
    Map<String, Object> named = arguments.restNamed();
    return Seq.iterator(
        each(items, item -> Filters.apply(name, item, new Arguments(positional, named), run)));
  }

  /// Those for which a test (or their truth) is `wanted`; with `attribute`, of a field of theirs.
  private static Object select(
      Object value, Arguments arguments, boolean attribute, boolean wanted, Run run) {
    UnaryOperator<Object> field =
        attribute ? field(arguments.need("attribute"), run) : item -> item;
    String test = arguments.hasPositional() ? arguments.needText("test").chars() : null;
    List<Object> positional = arguments.rest();
    Map<String, Object> named = arguments.restNamed();
    var kept = new ArrayList<Object>();
    for (Object item : itemsIfAny(value, run)) {
      Object tested = field.apply(item);
      boolean passes =
          test == null
              ? Values.isTrue(tested)
              : Tests.apply(test, tested, new Arguments(positional, named), run);
      if (passes == wanted) {
        kept.add(item);
      }
    }
    return Seq.iterator(kept);
  }

  private static Object groupBy(Object value, Arguments arguments, Run run) {
    Object attribute = arguments.need("attribute");
    Object otherwise = arguments.take("default", null);
    boolean caseSensitive = arguments.takeFlag("case_sensitive", false);
    UnaryOperator<Object> field = field(attribute, run);
    UnaryOperator<Object> key =
        item -> {
          Object picked = field.apply(item);
          picked = picked instanceof Undefined && otherwise != null ? otherwise : picked;
          return caseSensitive ? picked : TextMethods.folded(picked);
        };
    var sorted = new ArrayList<>(items(value, run));
    sort(sorted, key, false, run);
    var groups = new ArrayList<Object>();
    for (int start = 0; start < sorted.size(); ) {
      Object first = key.apply(sorted.get(start));
      int end = start + 1;
      while (end < sorted.size() && Values.equal(first, key.apply(sorted.get(end)), run)) {
        end++;
      }
      Object name = field.apply(sorted.get(start));
      run.charge(end - start + 8L);
      groups.add(
          new Seq(
              Seq.tuple(
                      name instanceof Undefined && otherwise != null ? otherwise : name,
                      Seq.list(new ArrayList<>(sorted.subList(start, end))))
                  .items(),
              Kind.GROUP));
      start = end;
    }
    return Seq.list(groups);
  }

  private static Object dictSort(Object value, Arguments arguments, Run run) {
    boolean caseSensitive = arguments.takeFlag("case_sensitive", false);
    String by = arguments.has("by") ? arguments.needText("by").chars() : "key";
    boolean reverse = arguments.takeFlag("reverse", false);
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateError("You can only sort by either \"key\" or \"value\"");
    }
    if (!(value instanceof Dict dict)) {
      throw new TemplateError("dictsort needs a mapping, not " + Values.typeName(value));
    }
    List<Object> items = ListMethods.items(dict, run);
    Object place = by.equals("key") ? 0L : 1L;
    sort(items, keyOf(place, caseSensitive, run), reverse, run);
    return Seq.list(items);
  }

  private static Object batch(Object value, Arguments arguments, Run run) {
    int size = Numbers.toInt(arguments.need("linecount"), "linecount");
    Object fill = arguments.take("fill_with", null);
    List<Object> items = items(value, run);
    if (size < 1) {
      throw new TemplateError("batch needs a size above 0");
    }
    var batches = new ArrayList<Object>();
    for (int start = 0; start < items.size(); start += Math.min(size, items.size())) {
      var batch =
          new ArrayList<>(items.subList(start, (int) Math.min((long) start + size, items.size())));
      run.charge(4L + batch.size() + (fill == null ? 0 : size));
      while (fill != null && batch.size() < size) {
        batch.add(fill);
      }
      batches.add(Seq.list(batch));
    }
    return Seq.iterator(batches);
  }

  private static Object slice(Object value, Arguments arguments, Run run) {
    int count = Numbers.toInt(arguments.need("slices"), "slices");
    Object fill = arguments.take("fill_with", null);
    List<Object> items = items(value, run);
    if (count < 1) {
      throw new TemplateError("slice needs a number of slices above 0");
    }
    run.charge(8L * count);
    int each = items.size() / count;
    int larger = items.size() % count;
    var slices = new ArrayList<Object>();
    int start = 0;
    for (int i = 0; i < count; i++) {
      int end = start + each + (i < larger ? 1 : 0);
      var slice = new ArrayList<>(items.subList(start, end));
      if (fill != null && i >= larger) {
        slice.add(fill);
      }
      slices.add(Seq.list(slice));
      start = end;
    }
    return Seq.iterator(slices);
  }
}
