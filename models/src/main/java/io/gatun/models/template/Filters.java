package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Jinja's filters, by name.
final class Filters {
  /// What `value | name(arguments)` does.
  interface Filter {
    Object apply(Object value, Arguments arguments, Run run);
  }

  private static final Map<String, Filter> ALL = new HashMap<>();

  static {
    ALL.put("default", Filters::orDefault);
    ALL.put("d", Filters::orDefault);
    ALL.put("length", (value, arguments, run) -> Values.length(value));
    ALL.put("count", (value, arguments, run) -> Values.length(value));
    ALL.put("string", (value, arguments, run) -> Strings.soft(value, run));
    ALL.put("safe", (value, arguments, run) -> Strings.soft(value, run));
    ALL.put("tojson", Json::write);
    ALL.put("int", Filters::toInteger);
    ALL.put("float", Filters::toFloat);
    ALL.put("abs", Filters::abs);
    ALL.put("round", Filters::round);
    ALL.put("attr", Filters::attribute);
    ALL.put("items", (value, arguments, run) -> items(value, run));
    putTexts();
    ListFilters.putAll(ALL);
  }

  /// A filter that takes its value for a text.
  private interface TextFilter {
    Object apply(Text text, Arguments arguments, Run run);
  }

  private static void put(String name, TextFilter filter) {
    ALL.put(
        name,
        (value, arguments, run) -> {
          Text text = Strings.soft(value, run);
          run.chargeChars(text.chars().length());
          return filter.apply(text, arguments, run);
        });
  }

  private static void putTexts() {
    putStrict("indent", Filters::indent);
    putStrict("truncate", Filters::truncate);
    putStrict("wordwrap", Filters::wordWrap);
    put("upper", (text, arguments, run) -> Strings.upper(text, run));
    put("lower", (text, arguments, run) -> Strings.lower(text, run));
    put("capitalize", (text, arguments, run) -> Strings.capitalize(text, run));
    put("title", (text, arguments, run) -> Strings.titleWords(text, run));
    put(
        "trim",
        (text, arguments, run) -> Strings.strip(text, arguments.takeText("chars"), true, true));
    put("replace", Filters::replace);
    put("wordcount", (text, arguments, run) -> wordCount(text.chars()));
    put("escape", (text, arguments, run) -> escape(text, run));
    put("e", (text, arguments, run) -> escape(text, run));
    put("forceescape", (text, arguments, run) -> escape(text, run));
    put("format", Filters::format);
    put("urlencode", (text, arguments, run) -> Strings.convert(text, Filters::urlEncode, run));
    put(
        "center",
        (text, arguments, run) ->
            Strings.pad(text, arguments.takeInt("width", 80), Text.own(" "), 0.5, run));
  }

  /// A filter that takes nothing but strings.
  private static void putStrict(String name, TextFilter filter) {
    put(name, filter);
    Filter soft = ALL.get(name);
    ALL.put(
        name,
        (value, arguments, run) -> {
          if (!(value instanceof Text || value instanceof Undefined)) {
            throw new TemplateError(
                "'%s' needs a string, not '%s'".formatted(name, Values.typeName(value)));
          }
          return soft.apply(value, arguments, run);
        });
  }

  private Filters() {}

  static boolean exists(String name) {
    return ALL.containsKey(name);
  }

  static Object apply(String name, Object value, Arguments arguments, Run run) {
    Filter filter = ALL.get(name);
    if (filter == null) {
      throw new TemplateError("there is no filter '%s'".formatted(name));
    }
    run.charge(1);
    Object result = filter.apply(value, arguments, run);
    arguments.done("the filter '" + name + "'");
    return result;
  }

  private static Object orDefault(Object value, Arguments arguments, Run run) {
    Object otherwise = arguments.take("default_value", Text.EMPTY);
    boolean falseToo = arguments.takeFlag("boolean", false);
    return value instanceof Undefined || (falseToo && !Values.isTrue(value)) ? otherwise : value;
  }

  private static Object toInteger(Object value, Arguments arguments, Run run) {
    Object otherwise = arguments.take("default", 0L);
    int base = arguments.takeInt("base", 10);
    return switch (value) {
      case Text text -> {
        run.charge(4L * text.chars().length());
        Object number = Numbers.parseInteger(text.chars(), base);
        Double real = number == null ? Numbers.parseDouble(text.chars()) : null;
        yield number != null ? number : real == null ? otherwise : truncate(real, otherwise);
      }
      case Double x -> truncate(x, otherwise);
      case Undefined undefined -> throw undefined.error();
      case Object number when Numbers.isInteger(number) -> Numbers.of(Numbers.big(number));
      case null, default -> otherwise;
    };
  }

  private static Object truncate(double x, Object otherwise) {
    return Double.isNaN(x) || Double.isInfinite(x)
        ? otherwise
        : Numbers.of(new java.math.BigDecimal(x).toBigInteger());
  }

  private static Object toFloat(Object value, Arguments arguments, Run run) {
    Object otherwise = arguments.take("default", 0.0);
    return switch (value) {
      case Text text -> {
        Double number = Numbers.parseDouble(text.chars());
        yield number == null ? otherwise : number;
      }
      case Undefined undefined -> throw undefined.error();
      case Object number when Numbers.isNumber(number) -> Numbers.toDouble(number);
      case null, default -> otherwise;
    };
  }

  private static Object abs(Object value, Arguments arguments, Run run) {
    if (value instanceof Double x) {
      return Math.abs(x);
    }
    return Numbers.of(Numbers.big(number(value, "abs")).abs());
  }

  private static Object round(Object value, Arguments arguments, Run run) {
    int precision = arguments.takeInt("precision", 0);
    Text method = arguments.has("method") ? arguments.needText("method") : Text.own("common");
    double x = Numbers.toDouble(number(value, "round"));
    double scale = Math.pow(10, precision);
    return switch (method.chars()) {
      case "common" ->
          Numbers.isInteger(value)
              ? Numbers.round(Numbers.big(value), precision)
              : (Object) Numbers.round(x, precision);
      case "ceil" -> Math.ceil(x * scale) / scale;
      case "floor" -> Math.floor(x * scale) / scale;
      default -> throw new TemplateError("method must be common, ceil or floor");
    };
  }

  private static Object number(Object value, String what) {
    if (!Numbers.isNumber(value)) {
      throw new TemplateError(
          "'%s' needs a number, not '%s'".formatted(what, Values.typeName(value)));
    }
    return value;
  }

  private static Object attribute(Object value, Arguments arguments, Run run) {
    String name = arguments.needText("name").chars();
    // Unlike a dot, the filter never looks at a mapping's keys.
    return value instanceof Dict dict
        ? orUndefined(ListMethods.find(dict, name))
        : Access.attribute(value, name, run);
  }

  private static Object orUndefined(Object value) {
    return value == null ? new Undefined("there is no such attribute") : value;
  }

  private static Object items(Object value, Run run) {
    return switch (value) {
      case Undefined _ -> Seq.iterator(List.of());
      case Dict dict -> Seq.iterator(ListMethods.items(dict, run));
      case null, default -> throw new TemplateError("Can only get item pairs from a mapping.");
    };
  }

  private static Object replace(Text text, Arguments arguments, Run run) {
    Text from = Strings.soft(arguments.need("old"), run);
    Text to = Strings.soft(arguments.need("new"), run);
    Object count = arguments.take("count", null);
    return Strings.replace(text, from, to, count == null ? -1 : Numbers.toInt(count, "count"), run);
  }

  private static Object indent(Text text, Arguments arguments, Run run) {
    Object width = arguments.take("width", 4L);
    boolean first = arguments.takeFlag("first", false);
    boolean blank = arguments.takeFlag("blank", false);
    Text indentation =
        width instanceof Text given
            ? given
            : new TextBuilder(run).spaces(Numbers.toInt(width, "width")).build();
    var out = new TextBuilder(run);
    // Lines as splitlines counts them, but for a line feed at the end.
    List<Object> lines =
        Strings.splitLines(new TextBuilder(run).append(text).append("\n").build(), false, run)
            .items();
    boolean any = false;
    for (Object line : lines) {
      if (any) {
        out.append("\n");
      }
      if (any ? blank || !((Text) line).isEmpty() : first) {
        out.append(indentation);
      }
      out.append((Text) line);
      any = true;
    }
    return out.build();
  }

  private static Object truncate(Text text, Arguments arguments, Run run) {
    int length = arguments.takeInt("length", 255);
    boolean killWords = arguments.takeFlag("killwords", false);
    Text end = arguments.has("end") ? arguments.needText("end") : Text.own("...");
    Object given = arguments.take("leeway", null);
    int leeway = given == null ? 5 : Numbers.toInt(given, "leeway");
    if (length < end.length() || leeway < 0) {
      throw new TemplateError("truncate: expected length >= %d".formatted(end.length()));
    }
    if (text.length() <= (long) length + leeway) {
      return text;
    }
    Text kept = text.slice(0, length - end.length());
    if (!killWords) {
      int space = kept.chars().lastIndexOf(' ');
      kept = space < 0 ? kept : kept.sub(0, space);
    }
    return new TextBuilder(run).append(kept).append(end).build();
  }

  private static Object wordCount(String chars) {
    long words = 0;
    boolean inWord = false;
    for (int i = 0; i < chars.length(); i += Character.charCount(chars.codePointAt(i))) {
      int c = chars.codePointAt(i);
      boolean word = Character.isLetter(c) || TextMethods.isNumeric(c) || c == '_';
      words += word && !inWord ? 1 : 0;
      inWord = word;
    }
    return words;
  }

  private static Object wordWrap(Text text, Arguments arguments, Run run) {
    int width = arguments.takeInt("width", 79);
    boolean breakLong = arguments.takeFlag("break_long_words", true);
    Object separator = arguments.take("wrapstring", null);
    Text lineEnd = separator instanceof Text given ? given : Text.own("\n");
    if (width < 1) {
      throw new TemplateError("wordwrap: the width must be above 0");
    }
    var lines = new ArrayList<Object>();
    for (Object each : Strings.splitLines(text, false, run).items()) {
      Text line = (Text) each;
      if (line.isEmpty()) {
        lines.add(line);
      }
      while (!line.isEmpty()) {
        run.charge(4);
        Text rest = line;
        int end = rest.chars().length();
        if (rest.length() > width) {
          int most = rest.offset(width);
          int space = rest.chars().lastIndexOf(' ', most);
          int next = rest.chars().indexOf(' ');
          end = space > 0 ? space : breakLong ? most : next < 0 ? end : next;
        }
        run.chargeChars(rest.chars().length());
        lines.add(rest.sub(0, end));
        Text after = rest.sub(end);
        line = after.isEmpty() ? after : Strings.strip(after, null, true, false);
      }
    }
    return Strings.join(lineEnd, lines, true, run);
  }

  private static Text escape(Text text, Run run) {
    return Strings.convert(
        text,
        s ->
            s.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;"),
        run);
  }

  private static String urlEncode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~")
        .replace("%2F", "/");
  }

  private static Object format(Text text, Arguments arguments, Run run) {
    List<Object> values = arguments.rest();
    Map<String, Object> named = arguments.restNamed();
    if (!values.isEmpty() && !named.isEmpty()) {
      throw new TemplateError("can't handle positional and keyword arguments at the same time");
    }
    if (named.isEmpty()) {
      return Formatting.percent(text, Seq.tuple(values.toArray()), run);
    }
    var entries = new java.util.LinkedHashMap<Object, Object>();
    named.forEach((name, value) -> entries.put(Text.own(name), value));
    return Formatting.percent(text, new Dict(entries), run);
  }
}
