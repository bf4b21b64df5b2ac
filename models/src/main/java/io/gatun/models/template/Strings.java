package io.gatun.models.template;

import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;

/// The work behind Python's string methods and Jinja's filters on strings. Each character of a
/// result is from where it was in the argument.
final class Strings {
  private Strings() {}

  static String strip(String text) {
    return strip(Text.own(text), null, true, true).chars();
  }

  /// `strip`, `lstrip` or `rstrip`: without white space, or the characters of `set`, at the ends.
  static Text strip(Text text, Text set, boolean left, boolean right) {
    String chars = text.chars();
    IntPredicate goes = set == null ? Characters::isSpace : c -> set.chars().indexOf(c) >= 0;
    int start = 0;
    int end = chars.length();
    while (left && start < end && goes.test(chars.codePointAt(start))) {
      start += Character.charCount(chars.codePointAt(start));
    }
    while (right && end > start && goes.test(chars.codePointBefore(end))) {
      end -= Character.charCount(chars.codePointBefore(end));
    }
    return text.sub(start, end);
  }

  /// Each run of one origin changed by itself.
  static Text convert(Text text, UnaryOperator<String> change, Run run) {
    var out = new TextBuilder(run);
    String chars = text.chars();
    for (int i = 0; i < chars.length(); ) {
      int end = text.runEnd(i);
      out.append(change.apply(chars.substring(i, end)), text.isData(i));
      i = end;
    }
    return out.build();
  }

  static Text upper(Text text, Run run) {
    return convert(text, s -> s.toUpperCase(Locale.ROOT), run);
  }

  static Text lower(Text text, Run run) {
    return convert(text, s -> s.toLowerCase(Locale.ROOT), run);
  }

  /// The first character in upper case, all others in lower case.
  static Text capitalize(Text text, Run run) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offset(1);
    return new TextBuilder(run)
        .append(convert(text.sub(0, first), Strings::titleCase, run))
        .append(lower(text.sub(first), run))
        .build();
  }

  private static String titleCase(String character) {
    int c = character.codePointAt(0);
    int title = Character.toTitleCase(c);
    if (title != c) {
      return Character.toString(title);
    }
    // Those that become several letters, as the ligature fi.
    String upper = character.toUpperCase(Locale.ROOT);
    int first = Character.charCount(upper.codePointAt(0));
    return upper.substring(0, first) + upper.substring(first).toLowerCase(Locale.ROOT);
  }

  /// Characters one by one: in title case where `begins` says, else in lower case or the other.
  static Text perCharacter(Text text, CharacterChange change, Run run) {
    var out = new TextBuilder(run);
    String chars = text.chars();
    int before = -1;
    for (int i = 0; i < chars.length(); ) {
      int c = chars.codePointAt(i);
      int end = i + Character.charCount(c);
      out.append(change.apply(before, c), text.isData(i));
      before = c;
      i = end;
    }
    return out.build();
  }

  /// What becomes of one character, after the one before it or -1.
  interface CharacterChange {
    String apply(int before, int character);
  }

  static boolean isCased(int c) {
    return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
  }

  /// `str.title`: a letter after no letter begins a word.
  static Text title(Text text, Run run) {
    return perCharacter(
        text,
        (before, c) ->
            before >= 0 && isCased(before)
                ? Character.toString(c).toLowerCase(Locale.ROOT)
                : titleCase(Character.toString(c)),
        run);
  }

  /// Jinja's filter `title`: words begin after white space and some brackets.
  static Text titleWords(Text text, Run run) {
    return perCharacter(
        text,
        (before, c) ->
            before < 0 || Characters.isSpace(before) || "-({[<".indexOf(before) >= 0
                ? Character.toString(c).toUpperCase(Locale.ROOT)
                : Character.toString(c).toLowerCase(Locale.ROOT),
        run);
  }

  static Text swapCase(Text text, Run run) {
    return perCharacter(
        text,
        (before, c) ->
            Character.isUpperCase(c)
                ? Character.toString(c).toLowerCase(Locale.ROOT)
                : Character.toString(c).toUpperCase(Locale.ROOT),
        run);
  }

  /// At most `count` replacements, from the left; all if it is negative.
  static Text replace(Text text, Text from, Text to, long count, Run run) {
    run.chargeSearch(text, from);
    long left = count < 0 ? Long.MAX_VALUE : count;
    var out = new TextBuilder(run);
    String chars = text.chars();
    if (from.isEmpty()) {
      for (int i = 0; i < chars.length(); ) {
        int end = i + Character.charCount(chars.codePointAt(i));
        if (left-- > 0) {
          out.append(to);
        }
        out.append(text, i, end);
        i = end;
      }
      return left > 0 ? out.append(to).build() : out.build();
    }
    int done = 0;
    for (int at = chars.indexOf(from.chars());
        at >= 0 && left-- > 0;
        at = chars.indexOf(from.chars(), done)) {
      out.append(text, done, at).append(to);
      done = at + from.chars().length();
    }
    return out.append(text, done, chars.length()).build();
  }

  /// `split`, `rsplit`; between runs of white space if there is no separator.
  static Seq split(Text text, Text separator, long most, boolean fromRight, Run run) {
    long left = most < 0 ? Long.MAX_VALUE : most;
    List<Object> parts =
        separator == null
            ? splitAtSpace(text, left, fromRight, run)
            : splitAt(text, separator, left, fromRight, run);
    return Seq.list(fromRight ? new ArrayList<>(parts.reversed()) : parts);
  }

  private static List<Object> splitAt(
      Text text, Text separator, long most, boolean fromRight, Run run) {
    if (separator.isEmpty()) {
      throw new TemplateError("empty separator");
    }
    run.chargeSearch(text, separator);
    String chars = text.chars();
    String cut = separator.chars();
    long left = most;
    var parts = new ArrayList<Object>();
    int start = 0;
    int end = chars.length();
    while (left-- > 0) {
      int at = fromRight ? lastIndexOf(chars, cut, end) : chars.indexOf(cut, start);
      if (at < 0) {
        break;
      }
      run.charge(4);
      if (fromRight) {
        parts.add(text.sub(at + cut.length(), end));
        end = at;
      } else {
        parts.add(text.sub(start, at));
        start = at + cut.length();
      }
    }
    run.chargeChars(chars.length());
    parts.add(text.sub(start, end));
    return parts;
  }

  /// The last occurrence that ends at or before `end`.
  static int lastIndexOf(String chars, String part, int end) {
    return end < part.length() ? -1 : chars.lastIndexOf(part, end - part.length());
  }

  private static List<Object> splitAtSpace(Text text, long most, boolean fromRight, Run run) {
    String chars = text.chars();
    run.chargeChars(2L * chars.length());
    int length = chars.length();
    long left = most;
    var parts = new ArrayList<Object>();
    if (fromRight) {
      for (int end = skip(chars, length, -1, true); end > 0; ) {
        run.charge(4);
        int start = left-- == 0 ? 0 : skip(chars, end, -1, false);
        parts.add(text.sub(start, end));
        end = skip(chars, start, -1, true);
      }
    } else {
      for (int start = skip(chars, 0, 1, true); start < length; ) {
        run.charge(4);
        int end = left-- == 0 ? length : skip(chars, start, 1, false);
        parts.add(text.sub(start, end));
        start = skip(chars, end, 1, true);
      }
    }
    return parts;
  }

  /// From `at` on over white space, or over all else.
  private static int skip(String chars, int at, int step, boolean space) {
    int i = at;
    while (step > 0
        ? i < chars.length() && Characters.isSpace(chars.charAt(i)) == space
        : i > 0 && Characters.isSpace(chars.charAt(i - 1)) == space) {
      i += step;
    }
    return i;
  }

  static Seq splitLines(Text text, boolean keepEnds, Run run) {
    String chars = text.chars();
    var lines = new ArrayList<Object>();
    int start = 0;
    while (start < chars.length()) {
      run.charge(4);
      int end = start;
      while (end < chars.length() && !Characters.isLineEnd(chars.charAt(end))) {
        end++;
      }
      int next = Math.min(chars.length(), end + (chars.startsWith("\r\n", end) ? 2 : 1));
      lines.add(text.sub(start, keepEnds ? next : end));
      start = next;
    }
    run.chargeChars(chars.length());
    return Seq.list(lines);
  }

  static Text join(Text separator, List<Object> items, boolean strict, Run run) {
    var out = new TextBuilder(run);
    boolean any = false;
    for (Object item : items) {
      run.charge(1);
      if (strict && !(item instanceof Text)) {
        throw new TemplateError(
            "sequence item: expected str instance, %s found".formatted(Values.typeName(item)));
      }
      if (any) {
        out.append(separator);
      }
      out.append(Printing.text(item, run));
      any = true;
    }
    return out.build();
  }

  /// Padded to `width` code points; the larger half of an odd padding is as Python puts it.
  static Text pad(Text text, long width, Text fill, double leftShare, Run run) {
    if (fill.length() != 1) {
      throw new TemplateError("The fill character must be exactly one character long");
    }
    long padding = width - text.length();
    if (padding <= 0) {
      return text;
    }
    long left =
        leftShare == 0.5 ? padding / 2 + (padding & width & 1) : (long) (padding * leftShare);
    return new TextBuilder(run)
        .append(repeat(fill, left, run))
        .append(text)
        .append(repeat(fill, padding - left, run))
        .build();
  }

  /// `text * times`.
  static Text repeat(Text text, long times, Run run) {
    if (times <= 0 || text.isEmpty()) {
      return Text.EMPTY;
    }
    if (times == 1) {
      return text;
    }
    run.grow(0, Math.min(times, Integer.MAX_VALUE) * text.chars().length());
    var out = new TextBuilder(run);
    if (text.runEnd(0) == text.chars().length()) {
      return out.append(text.chars().repeat((int) times), text.isData(0)).build();
    }
    for (long i = 0; i < times; i++) {
      out.append(text);
    }
    return out.build();
  }

  /// Whether all characters are of a kind, and there is one.
  static boolean all(Text text, IntPredicate kind) {
    return !text.isEmpty() && text.chars().codePoints().allMatch(kind);
  }

  /// Whether there are cased characters and all of them are as `kind` says.
  static boolean allCased(Text text, IntPredicate kind) {
    return text.chars().codePoints().anyMatch(Strings::isCased)
        && text.chars().codePoints().allMatch(c -> !isCased(c) || kind.test(c));
  }

  /// A text argument of a filter, which takes any value for its text.
  static Text soft(Object value, Run run) {
    return value instanceof Undefined ? Text.EMPTY : Printing.text(value, run);
  }
}
