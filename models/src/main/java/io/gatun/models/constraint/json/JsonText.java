package io.gatun.models.constraint.json;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Expr.Rule;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// How JSON is written.
///
/// Between tokens stands nothing, a space, or one or two line ends and then 40 spaces or tabs at
/// most: an answer cannot go on for ever with blanks. Before and after the whole there is nothing.
final class JsonText {
  private static final CodePoints CONTROL = CodePoints.range(0, 0x1F);
  private static final CodePoints ESCAPED = CONTROL.or(CodePoints.of("\"\\"));

  private static final Map<Integer, String> SHORT =
      Map.of(
          (int) '"', "\\\"",
          (int) '\\', "\\\\",
          (int) '\b', "\\b",
          (int) '\f', "\\f",
          (int) '\n', "\\n",
          (int) '\r', "\\r",
          (int) '\t', "\\t");

  /// Space between tokens.
  final Expr space =
      Expr.rule(
          "space",
          Expr.choice(
              Expr.EMPTY,
              Expr.text(" "),
              Expr.sequence(
                  new Expr.Repeat(Expr.choice(Expr.text("\n"), Expr.text("\r\n")), 1, 2),
                  new Expr.Repeat(new Expr.Chars(CodePoints.of(" \t")), 0, 40))));

  private final Expr character = Expr.rule("character", character());

  /// Any string.
  final Expr string = string(0, Expr.UNBOUNDED);

  private final Rule any = new Rule("value");
  final Expr comma = Expr.sequence(space, Expr.text(","), space);

  JsonText() {
    Expr value = new Expr.Call(any);
    Expr member = member(string, value);
    any.body =
        Expr.choice(
            object(List.of(), member, 0, Expr.UNBOUNDED),
            array(List.of(), value, 0, Expr.UNBOUNDED),
            string,
            Expr.rule("number", Numbers.any()),
            Expr.text("true"),
            Expr.text("false"),
            Expr.text("null"));
  }

  /// Any value.
  Expr any() {
    return new Expr.Call(any);
  }

  /// A name and its value.
  Expr member(Expr name, Expr value) {
    return Expr.sequence(name, space, Expr.text(":"), space, value);
  }

  /// See [Expr.Members].
  Expr object(List<Expr.Member> named, Expr extra, int min, int max) {
    return Expr.sequence(
        Expr.text("{"),
        space,
        new Expr.Members(named, comma, extra, min, max),
        space,
        Expr.text("}"));
  }

  /// @param first the items that have places of their own
  /// @param rest those after them, or null
  Expr array(List<Expr> first, Expr rest, int min, int max) {
    Expr items = Expr.EMPTY;
    int n = first.size();
    if (rest != null && (max == Expr.UNBOUNDED || max > n)) {
      int least = Math.max(0, min - n);
      int most = max == Expr.UNBOUNDED ? max : max - n;
      Expr next = Expr.sequence(comma, rest);
      if (n > 0) {
        items = new Expr.Repeat(next, least, most);
      } else {
        Expr more =
            new Expr.Repeat(next, Math.max(0, least - 1), most == Expr.UNBOUNDED ? most : most - 1);
        Expr all = Expr.sequence(rest, more);
        items = least == 0 ? Expr.optional(all) : all;
      }
    } else if (min > n) {
      items = Expr.NOTHING;
    }
    for (int i = n - 1; i >= 0; i--) {
      Expr from = Expr.sequence(i == 0 ? Expr.EMPTY : comma, first.get(i), items);
      boolean allowed = max == Expr.UNBOUNDED || i < max;
      items = !allowed ? Expr.EMPTY : i >= min ? Expr.optional(from) : from;
    }
    return Expr.sequence(Expr.text("["), space, items, space, Expr.text("]"));
  }

  /// Any string of so many characters.
  final Expr string(int min, int max) {
    return Expr.rule(
        "string",
        Expr.sequence(Expr.text("\""), new Expr.Repeat(character, min, max), Expr.text("\"")));
  }

  /// The strings of a set, in their plain spelling: only what must be escaped is.
  static Expr string(CharDfa texts) {
    return Expr.rule(
        "string",
        Expr.sequence(
            Expr.text("\""), new Expr.Machine(texts, JsonText::spelling), Expr.text("\"")));
  }

  private static Expr spelling(CodePoints set) {
    var options = new ArrayList<Expr>();
    options.add(new Expr.Chars(set.minus(ESCAPED)));
    CodePoints escaped = set.and(ESCAPED);
    for (int i = 0; i < escaped.count(); i++) {
      for (int c = escaped.first(i); c <= escaped.last(i); c++) {
        if (SHORT.containsKey(c)) {
          options.add(Expr.text(SHORT.get(c)));
        }
        if (CONTROL.contains(c)) {
          options.add(Expr.text(String.format(Locale.ROOT, "\\u%04x", c)));
        }
      }
    }
    return new Expr.Choice(options);
  }

  /// One character of a string, escaped or not.
  private static Expr character() {
    Expr hex = chars("0123456789abcdefABCDEF");
    return Expr.choice(
        new Expr.Chars(ESCAPED.not()),
        Expr.sequence(Expr.text("\\"), chars("\"\\/bfnrt")),
        Expr.sequence(
            Expr.text("\\u"),
            Expr.choice(
                Expr.sequence(chars("0123456789abcefABCEF"), hex, hex, hex),
                Expr.sequence(chars("dD"), chars("01234567"), hex, hex),
                Expr.sequence( // two halves of one character
                    chars("dD"),
                    chars("89abAB"),
                    hex,
                    hex,
                    Expr.text("\\u"),
                    chars("dD"),
                    chars("cdefCDEF"),
                    hex,
                    hex))));
  }

  private static Expr chars(String set) {
    return new Expr.Chars(CodePoints.of(set));
  }

  /// Just this value.
  Expr value(JsonNode value) {
    if (value.isTextual()) {
      return name(value.textValue());
    }
    if (value.isObject()) {
      var members = new ArrayList<Expr.Member>();
      value
          .properties()
          .forEach(
              e ->
                  members.add(
                      new Expr.Member(member(name(e.getKey()), value(e.getValue())), true)));
      return object(members, null, 0, Expr.UNBOUNDED);
    }
    if (value.isArray()) {
      var items = new ArrayList<Expr>();
      value.forEach(item -> items.add(value(item)));
      return array(items, null, items.size(), items.size());
    }
    return Expr.text(value.isNumber() ? plain(value.decimalValue()) : value.asText());
  }

  /// Digits without an exponent where that is short.
  private static String plain(BigDecimal number) {
    return Math.abs((long) number.precision() - number.scale()) < 40 && number.scale() < 40
        ? number.toPlainString()
        : number.toString();
  }

  /// Just this string.
  static Expr name(String name) {
    var text = new StringBuilder("\"");
    for (int c : name.codePoints().toArray()) {
      if (!ESCAPED.contains(c)) {
        text.appendCodePoint(c);
      } else {
        text.append(SHORT.containsKey(c) ? SHORT.get(c) : String.format(Locale.ROOT, "\\u%04x", c));
      }
    }
    return Expr.text(text.append('"').toString());
  }
}
