package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Seq;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/// The filter `tojson`, which writes as Python's `json.dumps`.
final class Json {
  private final Run run;
  private final TextBuilder out;
  private final Text indent;
  private final Text itemSeparator;
  private final Text keySeparator;
  private final boolean ensureAscii;
  private final boolean sortKeys;

  private Json(Arguments arguments, Run run) {
    this.run = run;
    out = new TextBuilder(run);
    ensureAscii = arguments.takeFlag("ensure_ascii", false);
    Object indentation = arguments.take("indent", null);
    indent =
        switch (indentation) {
          case null -> null;
          case Text text -> text;
          default -> {
            var spaces = new TextBuilder(run);
            spaces.spaces(Numbers.toInt(indentation, "indent"));
            yield spaces.build();
          }
        };
    Object separators = arguments.take("separators", null);
    if (separators instanceof Seq seq
        && seq.items().size() == 2
        && seq.items().get(0) instanceof Text items
        && seq.items().get(1) instanceof Text keys) {
      itemSeparator = items;
      keySeparator = keys;
    } else if (separators == null) {
      itemSeparator = Text.own(indent == null ? ", " : ",");
      keySeparator = Text.own(": ");
    } else {
      throw new TemplateError("'separators' needs two strings");
    }
    sortKeys = arguments.takeFlag("sort_keys", false);
  }

  static Text write(Object value, Arguments arguments, Run run) {
    var json = new Json(arguments, run);
    json.write(value, 0);
    return json.out.build();
  }

  private void write(Object value, int level) {
    run.enter();
    switch (value) {
      case null -> out.append("null");
      case Boolean b -> out.append(b ? "true" : "false");
      case Text text -> quote(text);
      case Seq seq when seq.isSequence() -> list(seq.items(), level);
      case Dict dict -> map(dict.entries(), level);
      case Object number when Numbers.isNumber(number) -> out.append(number(number));
      default ->
          throw new TemplateError(
              "Object of type %s is not JSON serializable".formatted(Values.typeName(value)));
    }
    run.leave();
  }

  private static String number(Object value) {
    return switch (value) {
      case Double x when x.isNaN() -> "NaN";
      case Double x when x.isInfinite() -> x > 0 ? "Infinity" : "-Infinity";
      default -> Numbers.print(value);
    };
  }

  private void list(List<Object> items, int level) {
    out.append("[");
    boolean any = false;
    for (Object item : items) {
      next(any, level + 1);
      write(item, level + 1);
      any = true;
    }
    end(any, level, "]");
  }

  private void map(Map<Object, Object> entries, int level) {
    out.append("{");
    boolean any = false;
    List<Map.Entry<Object, Object>> ordered = new ArrayList<>(entries.entrySet());
    if (sortKeys) {
      ordered.sort(Comparator.comparing(Map.Entry::getKey, (a, b) -> Values.compare(a, b, run)));
    }
    for (Map.Entry<Object, Object> entry : ordered) {
      next(any, level + 1);
      switch (entry.getKey()) {
        case Text text -> quote(text);
        case null -> out.append("\"null\"");
        case Object key when Numbers.isNumber(key) -> out.append("\"" + number(key) + "\"");
        default -> throw new TemplateError("keys must be str, int, float, bool or None");
      }
      out.append(keySeparator);
      write(entry.getValue(), level + 1);
      any = true;
    }
    end(any, level, "}");
  }

  private void next(boolean any, int level) {
    if (any) {
      out.append(itemSeparator);
    }
    lineFeed(level);
  }

  private void end(boolean any, int level, String close) {
    if (any) {
      lineFeed(level);
    }
    out.append(close);
  }

  private void lineFeed(int level) {
    if (indent != null) {
      out.append("\n");
      for (int i = 0; i < level; i++) {
        out.append(indent);
      }
    }
  }

  private void quote(Text text) {
    String chars = text.chars();
    out.append("\"");
    int done = 0;
    for (int i = 0; i < chars.length(); i++) {
      String escape = escape(chars.charAt(i));
      if (escape != null) {
        out.append(text, done, i).append(escape, text.isData(i));
        done = i + 1;
      }
    }
    out.append(text, done, chars.length()).append("\"");
  }

  private String escape(char c) {
    return switch (c) {
      case '"' -> "\\\"";
      case '\\' -> "\\\\";
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      case '\b' -> "\\b";
      case '\f' -> "\\f";
      default -> c < ' ' || (ensureAscii && c > '~') ? "\\u%04x".formatted((int) c) : null;
    };
  }
}
