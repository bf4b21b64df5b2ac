package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Kind;
import io.gatun.models.template.Values.Namespace;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.Map;

/// Values as Python's `str` and `repr` write them.
final class Printing {
  private Printing() {}

  /// `str(value)`.
  static Text text(Object value, Run run) {
    return switch (value) {
      case Text text -> text;
      case Undefined _ -> Text.EMPTY;
      case null -> Text.own("None");
      case Object number when Numbers.isNumber(number) -> {
        run.charge(Numbers.cost(number));
        yield Text.own(Numbers.print(number));
      }
      default -> repr(value, run);
    };
  }

  /// `repr(value)`.
  static Text repr(Object value, Run run) {
    var out = new TextBuilder(run);
    repr(value, out, run);
    return out.build();
  }

  private static void repr(Object value, TextBuilder out, Run run) {
    run.enter();
    switch (value) {
      case null -> out.append("None");
      case Text text -> quote(text, out);
      case Seq seq -> items(seq, out, run);
      case Dict dict -> entries(dict.entries(), out, run);
      case Undefined _ -> out.append("Undefined");
      case Namespace namespace -> {
        out.append("<Namespace ");
        entries(namespace.fields(), out, run);
        out.append(">");
      }
      case Function function -> out.append("<function " + function.name() + ">");
      default -> out.append(Numbers.print(value));
    }
    run.leave();
  }

  private static void items(Seq seq, TextBuilder out, Run run) {
    String type = Values.typeName(seq);
    boolean tuple = seq.isTuple();
    boolean plain = tuple || seq.kind() == Kind.LIST;
    out.append(tuple ? "(" : plain ? "[" : type + "([");
    String separator = "";
    for (Object item : seq.items()) {
      out.append(separator);
      repr(item, out, run);
      separator = ", ";
    }
    out.append(tuple ? (seq.items().size() == 1 ? ",)" : ")") : plain ? "]" : "])");
  }

  private static void entries(Map<?, Object> entries, TextBuilder out, Run run) {
    out.append("{");
    String separator = "";
    for (Map.Entry<?, Object> entry : entries.entrySet()) {
      out.append(separator);
      repr(entry.getKey() instanceof String name ? Text.own(name) : entry.getKey(), out, run);
      out.append(": ");
      repr(entry.getValue(), out, run);
      separator = ", ";
    }
    out.append("}");
  }

  private static void quote(Text text, TextBuilder out) {
    String chars = text.chars();
    String quote = chars.indexOf('\'') >= 0 && chars.indexOf('"') < 0 ? "\"" : "'";
    out.append(quote);
    int done = 0;
    for (int i = 0; i < chars.length(); ) {
      int c = chars.codePointAt(i);
      int end = i + Character.charCount(c);
      String escape = escape(c, quote.charAt(0));
      if (escape != null) {
        out.append(text, done, i).append(escape, text.isData(i));
        done = end;
      }
      i = end;
    }
    out.append(text, done, chars.length()).append(quote);
  }

  private static String escape(int c, char quote) {
    return switch (c) {
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      case '\\' -> "\\\\";
      case '\'', '"' -> c == quote ? "\\" + quote : null;
      default -> {
        if (Characters.isPrintable(c)) {
          yield null;
        }
        yield c < 0x100
            ? "\\x%02x".formatted(c)
            : c < 0x10000 ? "\\u%04x".formatted(c) : "\\U%08x".formatted(c);
      }
    };
  }
}
