package io.gatun.models.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.Arrays;
import java.util.Map;

/// The filter `tojson`, which writes as Python's `json.dumps` with `ensure_ascii=False`.
final class ToJson implements Filter {
  @Override
  public String getName() {
    return "tojson";
  }

  @Override
  public Object filter(
      Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
    Object indent = named.getOrDefault("indent", arguments.length > 0 ? arguments[0] : null);
    var out = new StringBuilder();
    write(value, indent instanceof Number n ? n.intValue() : -1, 1, out);
    return out.toString();
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... arguments) {
    return filter(value, interpreter, new Object[0], Map.of());
  }

  private static void write(Object value, int indent, int depth, StringBuilder out) {
    switch (value) {
      case Map<?, ?> map -> {
        var separator = new Separator(indent, depth, out);
        out.append('{');
        map.forEach(
            (key, each) -> {
              separator.next();
              out.append(quote(String.valueOf(key))).append(": ");
              write(each, indent, depth + 1, out);
            });
        separator.end('}');
      }
      case Iterable<?> list -> {
        var separator = new Separator(indent, depth, out);
        out.append('[');
        for (Object each : list) {
          separator.next();
          write(each, indent, depth + 1, out);
        }
        separator.end(']');
      }
      case Object[] array -> write(Arrays.asList(array), indent, depth, out);
      case null -> out.append("null");
      case Boolean _, Number _ -> out.append(value);
      default -> out.append(quote(value.toString()));
    }
  }

  private static String quote(String text) {
    try {
      return TokenizerConfig.JSON.writeValueAsString(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /// What stands before, between and behind the elements of a container.
  private static final class Separator {
    private final int indent;
    private final int depth;
    private final StringBuilder out;
    private boolean any;

    Separator(int indent, int depth, StringBuilder out) {
      this.indent = indent;
      this.depth = depth;
      this.out = out;
    }

    void next() {
      out.append(any ? indent < 0 ? ", " : "," : "");
      any = true;
      lineFeed(depth);
    }

    void end(char close) {
      if (any) {
        lineFeed(depth - 1);
      }
      out.append(close);
    }

    private void lineFeed(int level) {
      if (indent >= 0) {
        out.append('\n').repeat(' ', indent * level);
      }
    }
  }
}
