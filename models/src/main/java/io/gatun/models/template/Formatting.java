package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Kind;
import io.gatun.models.template.Values.Seq;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Python's two ways of putting values into a text: `'%d' % x` and `'{}'.format(x)`.
final class Formatting {
  private static final int MAX_PRECISION = 100;

  private static final Pattern PERCENT =
      Pattern.compile(
          "%(?:\\(([^)]*+)\\))?([-+ #0]*+)(\\d*+)(?:\\.(\\d*+))?[hlL]?(.)", Pattern.DOTALL);
  private static final Pattern SPEC =
      Pattern.compile(
          "(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\\d*+)([,_])?(?:\\.(\\d++))?([a-zA-Z%])?",
          Pattern.DOTALL);

  /// How one value is written.
  ///
  /// @param align `<`, `>`, `^`, `=` (between sign and digits), or 0 for the type's own
  /// @param sign `+`, a space, or `-`: only for negative numbers
  /// @param precision -1 for the type's own
  /// @param type a letter, or 0 for the value's own
  private record Spec(
      char fill,
      char align,
      char sign,
      boolean alternate,
      String group,
      int width,
      int precision,
      char type) {}

  private Formatting() {}

  /// `format % values`, where a tuple has several values and a mapping has them by name.
  static Text percent(Text format, Object values, Run run) {
    run.chargeChars(format.chars().length());
    List<Object> list =
        values instanceof Seq seq && seq.kind() == Kind.TUPLE
            ? seq.items()
            : Seq.tuple(values).items();
    return percent(format, list, values, run);
  }

  private static Text percent(Text format, List<Object> list, Object values, Run run) {
    var out = new TextBuilder(run);
    Matcher matcher = PERCENT.matcher(format.chars());
    int done = 0;
    int used = 0;
    boolean named = false;
    while (matcher.find(done)) {
      out.append(format, done, matcher.start());
      done = matcher.end();
      char type = matcher.group(5).charAt(0);
      if (type == '%') {
        out.append(format, done - 1, done);
        continue;
      }
      Object value;
      if (matcher.group(1) != null) {
        if (!(values instanceof Dict dict)) {
          throw new TemplateError("format requires a mapping");
        }
        value = dict.get(Text.own(matcher.group(1)));
        named = true;
      } else if (used < list.size()) {
        value = list.get(used++);
      } else {
        throw new TemplateError("not enough arguments for format string");
      }
      out.append(percentOne(matcher, type, value, run));
    }
    if (format.chars().indexOf('%', done) >= 0) {
      throw new TemplateError("incomplete format");
    }
    if (used < list.size() && !named && !(values instanceof Dict)) {
      throw new TemplateError("not all arguments converted during string formatting");
    }
    return out.append(format, done, format.chars().length()).build();
  }

  private static Text percentOne(Matcher matcher, char type, Object value, Run run) {
    String flags = matcher.group(2);
    boolean left = flags.indexOf('-') >= 0;
    boolean zero = flags.indexOf('0') >= 0 && !left && "srac".indexOf(type) < 0;
    String precision = matcher.group(4);
    var spec =
        new Spec(
            zero ? '0' : ' ',
            left ? '<' : zero ? '=' : '>',
            flags.indexOf('+') >= 0 ? '+' : flags.indexOf(' ') >= 0 ? ' ' : '-',
            flags.indexOf('#') >= 0,
            "",
            number(matcher.group(3), 0),
            precision == null ? -1 : number(precision, 0),
            type == 'i' || type == 'u' ? 'd' : type);
    return switch (type) {
      case 's' -> pad(cut(Printing.text(value, run), spec), spec, '>', run);
      case 'r', 'a' -> pad(cut(Printing.repr(value, run), spec), spec, '>', run);
      case 'c' -> pad(value instanceof Text text ? text : character(value), spec, '>', run);
      case 'd', 'i', 'u', 'x', 'X', 'o' -> {
        if (!Numbers.isNumber(value) || (value instanceof Double && "diu".indexOf(type) < 0)) {
          throw new TemplateError(
              "%%%c format: a number is required, not %s".formatted(type, Values.typeName(value)));
        }
        yield number(value instanceof Double x ? truncate(x) : value, spec, run);
      }
      case 'e', 'E', 'f', 'F', 'g', 'G' -> number(value, spec, run);
      default -> throw new TemplateError("unsupported format character '%c'".formatted(type));
    };
  }

  /// `format.format(...)`: `{}`, `{0}`, `{name}`, with `.field` or `[key]`, `!r`, and a
  /// specification.
  static Text braces(Text format, Arguments arguments, Run run) {
    run.chargeChars(format.chars().length());
    List<Object> positional = arguments.rest();
    Map<String, Object> named = arguments.restNamed();
    var out = new TextBuilder(run);
    String chars = format.chars();
    int next = 0;
    for (int i = 0; i < chars.length(); ) {
      char c = chars.charAt(i);
      if (c != '{' && c != '}') {
        int end = i + 1;
        while (end < chars.length() && chars.charAt(end) != '{' && chars.charAt(end) != '}') {
          end++;
        }
        out.append(format, i, end);
        i = end;
      } else if (i + 1 < chars.length() && chars.charAt(i + 1) == c) {
        out.append(format, i, i + 1);
        i += 2;
      } else {
        int end = chars.indexOf('}', i);
        if (c == '}' || end < 0) {
          throw new TemplateError("a single '%c' in a format string".formatted(c));
        }
        String field = chars.substring(i + 1, end);
        int colon = field.indexOf(':');
        String spec = colon < 0 ? "" : field.substring(colon + 1);
        String name = colon < 0 ? field : field.substring(0, colon);
        int bang = name.indexOf('!');
        String conversion = bang < 0 ? "" : name.substring(bang + 1);
        name = bang < 0 ? name : name.substring(0, bang);
        int path = 0;
        while (path < name.length() && name.charAt(path) != '.' && name.charAt(path) != '[') {
          path++;
        }
        String first = path == 0 ? String.valueOf(next++) : name.substring(0, path);
        Object value = argument(first, positional, named);
        value = follow(value, name.substring(path), run);
        out.append(one(value, conversion, spec, run));
        i = end + 1;
      }
    }
    return out.build();
  }

  private static Object argument(String name, List<Object> positional, Map<String, Object> named) {
    if (name.matches("\\d{1,9}")) {
      int index = Integer.parseInt(name);
      if (index >= positional.size()) {
        throw new TemplateError("Replacement index %d out of range".formatted(index));
      }
      return positional.get(index);
    }
    if (!named.containsKey(name)) {
      throw new TemplateError("format has no argument " + Values.named(Text.own(name)));
    }
    return named.get(name);
  }

  private static Object follow(Object start, String path, Run run) {
    Object value = start;
    Matcher step = Pattern.compile("\\.([^.\\[]++)|\\[([^\\]]++)\\]").matcher(path);
    int done = 0;
    while (step.find(done) && step.start() == done) {
      if (step.group(1) != null) {
        value = Access.attribute(value, step.group(1), run);
      } else {
        String key = step.group(2);
        value =
            Access.item(value, key.matches("\\d{1,9}") ? Long.valueOf(key) : Text.own(key), run);
      }
      done = step.end();
    }
    if (done < path.length()) {
      throw new TemplateError("a format string has a field that is not well formed");
    }
    return value;
  }

  private static Text one(Object value, String conversion, String specification, Run run) {
    Matcher matcher = SPEC.matcher(specification);
    if (!matcher.matches()) {
      throw new TemplateError("Invalid format specifier");
    }
    boolean zero = matcher.group(5) != null && matcher.group(2) == null;
    var spec =
        new Spec(
            zero ? '0' : matcher.group(1) == null ? ' ' : matcher.group(1).charAt(0),
            zero ? '=' : matcher.group(2) == null ? 0 : matcher.group(2).charAt(0),
            matcher.group(3) == null ? '-' : matcher.group(3).charAt(0),
            matcher.group(4) != null,
            matcher.group(7) == null ? "" : matcher.group(7),
            number(matcher.group(6), 0),
            number(matcher.group(8), -1),
            matcher.group(9) == null ? 0 : matcher.group(9).charAt(0));
    Object converted =
        switch (conversion) {
          case "" -> value;
          case "s" -> Printing.text(value, run);
          case "r" -> Printing.repr(value, run);
          default -> throw new TemplateError("unknown conversion !" + conversion);
        };
    if (specification.isEmpty()) {
      return Printing.text(converted, run);
    }
    if (Numbers.isNumber(converted)) {
      return number(converted, spec, run);
    }
    if (!(converted instanceof Text) || (spec.type() != 0 && spec.type() != 's')) {
      throw new TemplateError(
          "the format '%s' is not for a value of type '%s'"
              .formatted(specification, Values.typeName(converted)));
    }
    return pad(cut(Printing.text(converted, run), spec), spec, '<', run);
  }

  private static Text cut(Text text, Spec spec) {
    return spec.precision() >= 0 && spec.precision() < text.length()
        ? text.slice(0, spec.precision())
        : text;
  }

  private static Text pad(Text text, Spec spec, char usual, Run run) {
    char align = spec.align() == 0 ? usual : spec.align();
    long padding = Math.max(0, spec.width() - (long) text.length());
    long left = align == '<' ? 0 : align == '^' ? padding / 2 : padding;
    Text fill = Text.own(String.valueOf(spec.fill()));
    return new TextBuilder(run)
        .append(Strings.repeat(fill, left, run))
        .append(text)
        .append(Strings.repeat(fill, padding - left, run))
        .build();
  }

  private static Text number(Object value, Spec spec, Run run) {
    if (!Numbers.isNumber(value)) {
      throw new TemplateError("must be real number, not " + Values.typeName(value));
    }
    if (spec.precision() > MAX_PRECISION) {
      throw new TemplateError("a precision is above %d".formatted(MAX_PRECISION));
    }
    run.charge(20 + 4L * spec.precision() + Numbers.cost(value));
    boolean integer = Numbers.isInteger(value);
    char type = spec.type() != 0 ? spec.type() : integer ? 'd' : spec.precision() < 0 ? 'r' : 'g';
    String digits =
        switch (type) {
          case 'd', 'x', 'X', 'o', 'b' -> {
            if (!integer) {
              throw new TemplateError("an integer is required for the format '%c'".formatted(type));
            }
            yield integer(Numbers.big(value).abs(), type, spec.alternate());
          }
          case 'c' -> character(value).chars();
          default -> real(Numbers.toDouble(value), type, spec);
        };
    boolean negative =
        integer
            ? Numbers.big(value).signum() < 0
            : Double.doubleToRawLongBits(Numbers.toDouble(value)) < 0;
    String sign = negative ? "-" : spec.sign() == '-' ? "" : String.valueOf(spec.sign());
    String grouped = spec.group().isEmpty() ? digits : group(digits, spec.group());
    if (spec.align() == '=') {
      long padding = spec.width() - (long) sign.length() - grouped.length();
      return new TextBuilder(run)
          .append(sign)
          .append(Strings.repeat(Text.own(String.valueOf(spec.fill())), padding, run))
          .append(grouped)
          .build();
    }
    return pad(Text.own(sign + grouped), spec, '>', run);
  }

  private static String integer(BigInteger value, char type, boolean alternate) {
    int radix = type == 'd' ? 10 : type == 'o' ? 8 : type == 'b' ? 2 : 16;
    String digits = value.toString(radix);
    String prefix = alternate && radix != 10 ? "0" + type : "";
    return prefix + (type == 'X' ? digits.toUpperCase(Locale.ROOT) : digits);
  }

  private static String real(double signed, char type, Spec spec) {
    double x = Math.abs(signed);
    boolean upper = Character.isUpperCase(type);
    if (Double.isNaN(x) || Double.isInfinite(x)) {
      String name = Double.isNaN(x) ? "nan" : "inf";
      return upper ? name.toUpperCase(Locale.ROOT) : name;
    }
    int precision = spec.precision() < 0 ? 6 : spec.precision();
    String text =
        switch (type) {
          case 'f', 'F' -> fixed(x, precision);
          case '%' -> fixed(x * 100, precision) + "%";
          case 'e', 'E' -> scientific(x, precision);
          case 'g', 'G' -> general(x, Math.max(precision, 1), spec.alternate());
          case 'r' -> Numbers.print((Object) x);
          default -> throw new TemplateError("Unknown format code '%c'".formatted(type));
        };
    return upper ? text.toUpperCase(Locale.ROOT) : text;
  }

  private static String fixed(double x, int precision) {
    return new BigDecimal(x).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
  }

  private static BigDecimal rounded(double x, int digits) {
    return new BigDecimal(x).round(new MathContext(digits, RoundingMode.HALF_EVEN));
  }

  private static int exponent(BigDecimal x) {
    return x.signum() == 0 ? 0 : x.precision() - x.scale() - 1;
  }

  private static String scientific(double x, int precision) {
    BigDecimal rounded = rounded(x, precision + 1);
    int exponent = exponent(rounded);
    String digits =
        rounded.movePointLeft(exponent).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
    return "%se%s%02d".formatted(digits, exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  private static String general(double x, int precision, boolean keepZeros) {
    int exponent = exponent(rounded(x, precision));
    boolean plain = exponent >= -4 && exponent < precision;
    String text = plain ? fixed(x, precision - 1 - exponent) : scientific(x, precision - 1);
    int end = text.indexOf('e') < 0 ? text.length() : text.indexOf('e');
    int last = end;
    while (!keepZeros && text.lastIndexOf('.', end) >= 0 && text.charAt(last - 1) == '0') {
      last--;
    }
    last = last < end || !keepZeros ? (text.charAt(last - 1) == '.' ? last - 1 : last) : last;
    return text.substring(0, last) + text.substring(end);
  }

  private static String group(String digits, String separator) {
    int end = 0;
    while (end < digits.length() && Character.isDigit(digits.charAt(end))) {
      end++;
    }
    var out = new StringBuilder(digits);
    for (int i = end - 3; i > 0; i -= 3) {
      out.insert(i, separator);
    }
    return out.toString();
  }

  private static Object truncate(double x) {
    if (Double.isNaN(x) || Double.isInfinite(x)) {
      throw new TemplateError("cannot convert float NaN or infinity to integer");
    }
    return Numbers.of(new BigDecimal(x).toBigInteger());
  }

  private static Text character(Object value) {
    int code = Numbers.toInt(value, "%c");
    if (!Character.isValidCodePoint(code)) {
      throw new TemplateError("a character's number is above U+10FFFF");
    }
    return Text.data(Character.toString(code));
  }

  private static int number(String digits, int otherwise) {
    if (digits == null || digits.isEmpty()) {
      return otherwise;
    }
    if (digits.length() > 9) {
      throw new TemplateError("a width or precision in a format string is too large");
    }
    return Integer.parseInt(digits);
  }
}
