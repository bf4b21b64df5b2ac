package io.gatun.models.template;

import io.gatun.models.template.Values.Body;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.List;
import java.util.Locale;

/// The methods of strings.
final class TextMethods {
  private static final Text SPACE = Text.own(" ");

  private TextMethods() {}

  /// A method, or null.
  static Object find(Text text, String name) {
    Body body = body(text, name);
    if (body == null) {
      return null;
    }
    return ListMethods.method(
        name,
        (arguments, run) -> {
          run.chargeChars(text.chars().length());
          return body.call(arguments, run);
        });
  }

  private static Body body(Text text, String name) {
    return switch (name) {
      case "upper" -> (arguments, run) -> Strings.upper(text, run);
      case "lower" -> (arguments, run) -> Strings.lower(text, run);
      case "casefold" -> (arguments, run) -> Strings.lower(Strings.upper(text, run), run);
      case "capitalize" -> (arguments, run) -> Strings.capitalize(text, run);
      case "title" -> (arguments, run) -> Strings.title(text, run);
      case "swapcase" -> (arguments, run) -> Strings.swapCase(text, run);
      case "strip" -> (arguments, run) -> strip(text, arguments, true, true);
      case "lstrip" -> (arguments, run) -> strip(text, arguments, true, false);
      case "rstrip" -> (arguments, run) -> strip(text, arguments, false, true);
      case "split" -> (arguments, run) -> split(text, arguments, false, run);
      case "rsplit" -> (arguments, run) -> split(text, arguments, true, run);
      case "splitlines" ->
          (arguments, run) -> Strings.splitLines(text, arguments.takeFlag("keepends", false), run);
      case "partition" -> (arguments, run) -> partition(text, arguments, false, run);
      case "rpartition" -> (arguments, run) -> partition(text, arguments, true, run);
      case "replace" ->
          (arguments, run) -> {
            Text from = arguments.needText("old");
            Text to = arguments.needText("new");
            return Strings.replace(text, from, to, arguments.takeInt("count", -1), run);
          };
      case "join" ->
          (arguments, run) ->
              Strings.join(text, Values.iterate(arguments.need("iterable"), run), true, run);
      case "startswith" -> (arguments, run) -> affix(text, arguments, true, run);
      case "endswith" -> (arguments, run) -> affix(text, arguments, false, run);
      case "removeprefix" ->
          (arguments, run) -> {
            String prefix = arguments.needText("prefix").chars();
            return text.chars().startsWith(prefix) ? text.sub(prefix.length()) : text;
          };
      case "removesuffix" ->
          (arguments, run) -> {
            String suffix = arguments.needText("suffix").chars();
            int end = text.chars().length() - suffix.length();
            return text.chars().endsWith(suffix) ? text.sub(0, end) : text;
          };
      case "find" -> (arguments, run) -> find(text, arguments, false, run);
      case "rfind" -> (arguments, run) -> find(text, arguments, true, run);
      case "index" -> (arguments, run) -> index(find(text, arguments, false, run));
      case "rindex" -> (arguments, run) -> index(find(text, arguments, true, run));
      case "count" -> (arguments, run) -> count(text, arguments, run);
      case "format" -> (arguments, run) -> Formatting.braces(text, arguments, run);
      case "center" -> (arguments, run) -> pad(text, arguments, 0.5, run);
      case "ljust" -> (arguments, run) -> pad(text, arguments, 0, run);
      case "rjust" -> (arguments, run) -> pad(text, arguments, 1, run);
      case "zfill" -> (arguments, run) -> zeros(text, arguments.takeInt("width", 0), run);
      default -> question(text, name);
    };
  }

  /// The methods that ask what the characters are.
  private static Body question(Text text, String name) {
    return switch (name) {
      case "isalpha" -> (arguments, run) -> Strings.all(text, Character::isLetter);
      case "isdigit", "isdecimal" -> (arguments, run) -> Strings.all(text, Character::isDigit);
      case "isnumeric" -> (arguments, run) -> Strings.all(text, TextMethods::isNumeric);
      case "isalnum" ->
          (arguments, run) -> Strings.all(text, c -> Character.isLetter(c) || isNumeric(c));
      case "isspace" -> (arguments, run) -> Strings.all(text, Characters::isSpace);
      case "isascii" -> (arguments, run) -> text.chars().chars().allMatch(c -> c < 0x80);
      case "isprintable" ->
          (arguments, run) -> text.chars().codePoints().allMatch(Characters::isPrintable);
      case "islower" -> (arguments, run) -> Strings.allCased(text, Character::isLowerCase);
      case "isupper" -> (arguments, run) -> Strings.allCased(text, Character::isUpperCase);
      case "istitle" ->
          (arguments, run) ->
              text.chars().codePoints().anyMatch(Strings::isCased)
                  && Strings.title(text, run).equals(text);
      case "isidentifier" ->
          (arguments, run) ->
              !text.isEmpty()
                  && (Character.isUnicodeIdentifierStart(text.chars().codePointAt(0))
                      || text.chars().charAt(0) == '_')
                  && text.chars().codePoints().allMatch(Character::isUnicodeIdentifierPart);
      default -> null;
    };
  }

  static boolean isNumeric(int c) {
    int type = Character.getType(c);
    return type == Character.DECIMAL_DIGIT_NUMBER
        || type == Character.LETTER_NUMBER
        || type == Character.OTHER_NUMBER;
  }

  private static Text strip(Text text, Arguments arguments, boolean left, boolean right) {
    return Strings.strip(text, arguments.takeText("chars"), left, right);
  }

  private static Seq split(Text text, Arguments arguments, boolean fromRight, Run run) {
    Text separator = arguments.takeText("sep");
    return Strings.split(text, separator, arguments.takeInt("maxsplit", -1), fromRight, run);
  }

  private static Seq partition(Text text, Arguments arguments, boolean last, Run run) {
    Text separator = arguments.needText("sep");
    if (separator.isEmpty()) {
      throw new TemplateError("empty separator");
    }
    run.chargeSearch(text, separator);
    String chars = text.chars();
    int at = last ? chars.lastIndexOf(separator.chars()) : chars.indexOf(separator.chars());
    if (at < 0) {
      return last
          ? Seq.tuple(Text.EMPTY, Text.EMPTY, text)
          : Seq.tuple(text, Text.EMPTY, Text.EMPTY);
    }
    int end = at + separator.chars().length();
    return Seq.tuple(text.sub(0, at), text.sub(at, end), text.sub(end));
  }

  private static boolean affix(Text text, Arguments arguments, boolean start, Run run) {
    Object wanted = arguments.need("prefix");
    Text part = range(text, arguments);
    List<Object> any = wanted instanceof Seq several ? several.items() : Seq.tuple(wanted).items();
    for (Object each : any) {
      if (!(each instanceof Text affix)) {
        throw each instanceof Undefined undefined
            ? undefined.error()
            : new TemplateError(
                "startswith and endswith need strings, not " + Values.typeName(each));
      }
      run.chargeChars(affix.chars().length());
      if (start ? part.chars().startsWith(affix.chars()) : part.chars().endsWith(affix.chars())) {
        return true;
      }
    }
    return false;
  }

  /// The part that the arguments `start` and `end` name.
  private static Text range(Text text, Arguments arguments) {
    int from = clamp(arguments.takeInt("start", 0), text.length());
    int to = clamp(arguments.takeInt("end", Integer.MAX_VALUE), text.length());
    return from < to ? text.slice(from, to) : Text.EMPTY;
  }

  private static int clamp(int index, int length) {
    return Math.clamp(index < 0 ? (long) index + length : index, 0, length);
  }

  private static Object find(Text text, Arguments arguments, boolean last, Run run) {
    Text part = arguments.needText("sub");
    int from = arguments.has("start") ? clamp(arguments.takeInt("start", 0), text.length()) : 0;
    int to = clamp(arguments.takeInt("end", Integer.MAX_VALUE), text.length());
    if (from > to) {
      return -1L;
    }
    run.chargeSearch(text, part);
    Text within = text.slice(from, to);
    int at = last ? within.chars().lastIndexOf(part.chars()) : within.chars().indexOf(part.chars());
    return at < 0 ? -1L : from + within.point(at);
  }

  private static Object index(Object found) {
    if (found.equals(-1L)) {
      throw new TemplateError("substring not found");
    }
    return found;
  }

  private static Object count(Text text, Arguments arguments, Run run) {
    Text part = arguments.needText("sub");
    Text within = range(text, arguments);
    run.chargeSearch(within, part);
    if (part.isEmpty()) {
      return within.length() + 1L;
    }
    long count = 0;
    int step = part.chars().length();
    for (int at = within.chars().indexOf(part.chars());
        at >= 0;
        at = within.chars().indexOf(part.chars(), at + step)) {
      count++;
    }
    return count;
  }

  private static Text pad(Text text, Arguments arguments, double left, Run run) {
    int width = arguments.takeInt("width", 0);
    return Strings.pad(
        text, width, arguments.has("fillchar") ? arguments.needText("fillchar") : SPACE, left, run);
  }

  private static Text zeros(Text text, int width, Run run) {
    boolean signed = text.chars().startsWith("-") || text.chars().startsWith("+");
    Text sign = text.sub(0, signed ? 1 : 0);
    Text digits = text.sub(signed ? 1 : 0);
    Text padded = Strings.pad(digits, width - (signed ? 1L : 0L), Text.own("0"), 1, run);
    return new TextBuilder(run).append(sign).append(padded).build();
  }

  /// As Python's filters compare without regard to case.
  static Object folded(Object value) {
    return value instanceof Text text ? Text.own(text.chars().toLowerCase(Locale.ROOT)) : value;
  }
}
