package io.gatun.models.template;

import io.gatun.models.template.Values.Body;
import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Namespace;
import io.gatun.models.template.Values.Seq;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The functions that Jinja and Hugging Face give every template.
final class Functions {
  private static final Map<Character, String> STRFTIME =
      Map.ofEntries(
          Map.entry('d', "dd"),
          Map.entry('e', "ppd"),
          Map.entry('m', "MM"),
          Map.entry('b', "MMM"),
          Map.entry('h', "MMM"),
          Map.entry('B', "MMMM"),
          Map.entry('y', "yy"),
          Map.entry('Y', "yyyy"),
          Map.entry('a', "EEE"),
          Map.entry('A', "EEEE"),
          Map.entry('j', "DDD"),
          Map.entry('H', "HH"),
          Map.entry('I', "hh"),
          Map.entry('M', "mm"),
          Map.entry('S', "ss"),
          Map.entry('f', "SSSSSS"),
          Map.entry('p', "a"),
          Map.entry('F', "yyyy-MM-dd"),
          Map.entry('D', "MM/dd/yy"),
          Map.entry('T', "HH:mm:ss"),
          Map.entry('R', "HH:mm"),
          Map.entry('c', "EEE MMM ppd HH:mm:ss yyyy"),
          Map.entry('x', "MM/dd/yy"),
          Map.entry('X', "HH:mm:ss"),
          Map.entry('n', "'\n'"),
          Map.entry('t', "'\t'"),
          Map.entry('%', "'%'"));

  private static final Map<String, Object> ALL = new HashMap<>();

  static {
    put("range", (arguments, run) -> range(arguments.rest(), run));
    put("dict", (arguments, run) -> new Dict(entries(arguments, run)));
    put("namespace", (arguments, run) -> namespace(arguments, run));
    put("cycler", (arguments, run) -> cycler(arguments.rest()));
    put("joiner", (arguments, run) -> joiner(arguments.take("sep", Text.own(", "))));
    put("strftime_now", (arguments, run) -> strftime(arguments.needText("format"), run));
    put(
        "raise_exception",
        (arguments, run) -> {
          throw new TemplateError.Refusal(Strings.soft(arguments.need("message"), run).chars());
        });
  }

  private Functions() {}

  private static void put(String name, Body body) {
    ALL.put(name, ListMethods.method(name, body));
  }

  static Map<String, Object> all() {
    return ALL;
  }

  private static Seq range(List<Object> bounds, Run run) {
    if (bounds.isEmpty() || bounds.size() > 3) {
      throw new TemplateError("range takes 1 to 3 arguments");
    }
    long start = bounds.size() == 1 ? 0 : Numbers.toInt(bounds.getFirst(), "range's start");
    long stop = Numbers.toInt(bounds.get(bounds.size() == 1 ? 0 : 1), "range's end");
    long step = bounds.size() == 3 ? Numbers.toInt(bounds.get(2), "range's step") : 1;
    if (step == 0) {
      throw new TemplateError("range's step must not be zero");
    }
    long count = Math.max(0, Math.ceilDiv(stop - start, step));
    if (count > Run.MAX_RANGE) {
      throw new TemplateError(
          "a range has %d numbers; need at most %d".formatted(count, Run.MAX_RANGE));
    }
    run.charge(2 * count);
    var numbers = new ArrayList<Object>();
    for (long i = 0; i < count; i++) {
      numbers.add(start + i * step);
    }
    return Seq.list(numbers);
  }

  /// A mapping, or pairs, and what has a name.
  private static Map<Object, Object> entries(Arguments arguments, Run run) {
    var entries = new LinkedHashMap<Object, Object>();
    if (arguments.hasPositional()) {
      switch (arguments.need("mapping")) {
        case Dict dict -> entries.putAll(dict.entries());
        case Object pairs -> {
          for (Object pair : Values.iterate(pairs, run)) {
            List<Object> both = Values.iterate(pair, run);
            if (both.size() != 2) {
              throw new TemplateError("dict needs pairs of a key and a value");
            }
            run.charge(4);
            entries.put(Dict.key(both.get(0)), both.get(1));
          }
        }
      }
    }
    arguments.restNamed().forEach((name, value) -> entries.put(Text.own(name), value));
    run.charge(4L * entries.size());
    return entries;
  }

  private static Object namespace(Arguments arguments, Run run) {
    var fields = new LinkedHashMap<String, Object>();
    entries(arguments, run).forEach((name, value) -> fields.put(String.valueOf(name), value));
    return new Namespace(fields);
  }

  private static Object cycler(List<Object> values) {
    if (values.isEmpty()) {
      throw new TemplateError("at least one item has to be provided");
    }
    var fields = new LinkedHashMap<String, Object>();
    int[] at = {0};
    fields.put("current", values.getFirst());
    fields.put(
        "next",
        ListMethods.method(
            "next",
            (arguments, run) -> {
              Object value = values.get(at[0]);
              at[0] = (at[0] + 1) % values.size();
              fields.put("current", values.get(at[0]));
              return value;
            }));
    fields.put(
        "reset",
        ListMethods.method(
            "reset",
            (arguments, run) -> {
              at[0] = 0;
              fields.put("current", values.getFirst());
              return null;
            }));
    return new Function("cycler", (arguments, run) -> null, fields);
  }

  private static Object joiner(Object separator) {
    boolean[] used = {false};
    return ListMethods.method(
        "joiner",
        (arguments, run) -> {
          Object text = used[0] ? separator : Text.EMPTY;
          used[0] = true;
          return text;
        });
  }

  /// The date and time as Python's `strftime` writes them.
  private static Text strftime(Text format, Run run) {
    var now = LocalDateTime.now(run.clock());
    var out = new TextBuilder(run);
    String chars = format.chars();
    for (int i = 0; i < chars.length(); i++) {
      if (chars.charAt(i) != '%' || i + 1 == chars.length()) {
        out.append(format, i, i + 1);
        continue;
      }
      boolean unpadded = chars.charAt(i + 1) == '-' && i + 2 < chars.length();
      i += unpadded ? 2 : 1;
      String pattern = STRFTIME.get(chars.charAt(i));
      if (pattern == null) {
        throw new TemplateError(
            "strftime_now: unknown %" + Character.toString(chars.codePointAt(i)));
      }
      String text = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(now);
      out.append(unpadded && text.startsWith("0") ? text.replaceFirst("^0+(?=.)", "") : text);
    }
    return out.build();
  }
}
