package io.gatun.models.constraint.expr;

import io.gatun.models.constraint.ConstraintException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Reads regular expressions in the form of ECMA-262 that JSON Schema names: alternatives, groups,
/// classes, `* + ? {m,n}`, `^` and `$` at the ends. What is no regular language, or looks around,
/// is refused by name.
///
/// Where dialects differ, the narrower reading is taken, so that other engines agree: `\s` is ASCII
/// space, `\S` and `[^\s]` leave out all space there is, `.` is no line end of any kind.
public final class Regex {
  private static final int MOST_CHARACTERS = 1 << 16;
  private static final int DEEPEST = 200;
  private static final int MOST_BRANCHES = 256;

  private static final CodePoints DIGIT = CodePoints.range('0', '9');
  private static final CodePoints WORD =
      DIGIT.or(CodePoints.range('a', 'z')).or(CodePoints.range('A', 'Z')).or(CodePoints.of('_'));
  private static final CodePoints SPACE = CodePoints.of("\t\n\u000b\f\r ");
  private static final CodePoints ANY_SPACE =
      SPACE
          .or(CodePoints.of("\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"))
          .or(CodePoints.range(0x2000, 0x200A));
  private static final CodePoints DOT = CodePoints.of("\n\r\u0085\u2028\u2029").not();

  private static final Map<Character, String> GROUPS =
      Map.of('=', "lookahead", '!', "lookahead", '<', "lookbehind", '>', "an atomic group");

  /// One alternative.
  ///
  /// @param start whether it stands at the text's beginning only
  /// @param end whether it stands at the text's end only
  private record Branch(List<Expr> parts, boolean start, boolean end) {
    static final Branch EMPTY = new Branch(List.of(), false, false);

    boolean anchored() {
      return start || end;
    }

    Expr expr() {
      return parts.size() == 1 ? parts.getFirst() : new Expr.Sequence(parts);
    }
  }

  private final String source;
  private final String where;
  private int at;
  private int depth;

  private Regex(String source, String where) {
    this.source = source;
    this.where = where;
  }

  /// The texts that match as a whole.
  ///
  /// @param where for messages
  public static Expr whole(String source, String where) {
    return new Expr.Choice(new Regex(source, where).parse().stream().map(Branch::expr).toList());
  }

  /// The texts of which a part matches, as JSON Schema has it.
  public static Expr part(String source, String where) {
    Expr any = Expr.any(new Expr.Chars(CodePoints.ALL));
    var options = new ArrayList<Expr>();
    for (Branch branch : new Regex(source, where).parse()) {
      options.add(
          Expr.sequence(
              branch.start ? Expr.EMPTY : any, branch.expr(), branch.end ? Expr.EMPTY : any));
    }
    return new Expr.Choice(options);
  }

  private List<Branch> parse() {
    if (source.length() > MOST_CHARACTERS) {
      throw new ConstraintException(
          "%s: the pattern has %,d characters; at most %,d are read"
              .formatted(where, source.length(), MOST_CHARACTERS));
    }
    List<Branch> branches = alternatives();
    if (at < source.length()) {
      throw error(at, "')' without '('");
    }
    return branches;
  }

  private List<Branch> alternatives() {
    var branches = new ArrayList<>(sequence());
    while (at < source.length() && source.charAt(at) == '|') {
      at++;
      branches.addAll(sequence());
      if (branches.size() > MOST_BRANCHES && branches.stream().anyMatch(Branch::anchored)) {
        throw error(at, "more than %d alternatives with ^ or $".formatted(MOST_BRANCHES));
      }
    }
    return branches;
  }

  private List<Branch> sequence() {
    List<Branch> open = List.of(Branch.EMPTY);
    while (at < source.length() && source.charAt(at) != '|' && source.charAt(at) != ')') {
      int begin = at;
      char c = source.charAt(at);
      List<Branch> next;
      if (c == '^' || c == '$') {
        at++;
        next = List.of(new Branch(List.of(), c == '^', c == '$'));
      } else if (c == '(') {
        next = group();
      } else {
        next = List.of(new Branch(List.of(new Expr.Chars(one())), false, false));
      }
      boolean anchored = next.stream().anyMatch(Branch::anchored);
      if (at < source.length() && "*+?{".indexOf(source.charAt(at)) >= 0) {
        if (anchored) {
          throw error(at, "^ or $ cannot be repeated");
        }
        next = List.of(new Branch(List.of(repeated(choice(next))), false, false));
      } else if (!anchored && next.size() > 1) {
        next = List.of(new Branch(List.of(choice(next)), false, false));
      }
      open = joined(open, next, begin);
    }
    return open;
  }

  private static Expr choice(List<Branch> branches) {
    return branches.size() == 1
        ? branches.getFirst().expr()
        : new Expr.Choice(branches.stream().map(Branch::expr).toList());
  }

  private List<Branch> joined(List<Branch> before, List<Branch> after, int begin) {
    var all = new ArrayList<Branch>();
    for (Branch a : before) {
      for (Branch b : after) {
        if (b.start && !a.parts.isEmpty()) {
          throw error(begin, "^ is supported at the beginning only");
        }
        if (a.end && !b.parts.isEmpty()) {
          throw error(begin, "$ is supported at the end only");
        }
        if (a.parts.isEmpty() && before.size() == 1 && !a.anchored()) {
          all.add(b);
          continue;
        }
        var parts = new ArrayList<>(a.parts);
        parts.addAll(b.parts);
        all.add(new Branch(parts, a.start || b.start, a.end || b.end));
      }
    }
    if (all.size() > MOST_BRANCHES && after.size() > 1) {
      throw error(begin, "more than %d alternatives with ^ or $".formatted(MOST_BRANCHES));
    }
    return all;
  }

  private List<Branch> group() {
    int open = at++;
    if (++depth > DEEPEST) {
      throw error(open, "groups are nested more than %d deep".formatted(DEEPEST));
    }
    if (source.startsWith("?:", at)) {
      at += 2;
    } else if (source.startsWith("?", at)) {
      boolean named = source.matches("(?s).{" + at + "}\\?<[A-Za-z_]\\w*>.*");
      if (!named) {
        char kind = at + 1 < source.length() ? source.charAt(at + 1) : ')';
        throw error(open, GROUPS.getOrDefault(kind, "(?" + kind) + " is not supported");
      }
      at = source.indexOf('>', at) + 1;
    }
    List<Branch> inner = alternatives();
    if (at == source.length()) {
      throw error(open, "the group that opens here is not closed");
    }
    at++;
    depth--;
    return inner;
  }

  private Expr repeated(Expr expr) {
    int begin = at;
    char c = source.charAt(at++);
    int min = c == '+' ? 1 : 0;
    int max = c == '?' ? 1 : Expr.UNBOUNDED;
    if (c == '{') {
      int close = source.indexOf('}', at);
      String inner = close < 0 ? "" : source.substring(at, close);
      if (!inner.matches("\\d+(,\\d*)?")) {
        throw error(begin, "expected {m}, {m,} or {m,n}; a brace that is meant is written \\{");
      }
      String[] bounds = inner.split(",", -1);
      min = count(bounds[0], begin);
      max = bounds.length == 1 ? min : bounds[1].isEmpty() ? max : count(bounds[1], begin);
      if (max >= 0 && max < min) {
        throw error(begin, "the least, %d, is more than the most, %d".formatted(min, max));
      }
      at = close + 1;
    }
    if (at < source.length() && source.charAt(at) == '?') {
      at++; // which reading is tried first does not matter
    }
    if (at < source.length() && "*+?{".indexOf(source.charAt(at)) >= 0) {
      throw error(at, "'%s' repeats a repetition".formatted(source.charAt(at)));
    }
    return new Expr.Repeat(expr, min, max);
  }

  private int count(String digits, int begin) {
    return Expr.count(digits, () -> where + ", at character " + (begin + 1));
  }

  /// One character or class.
  private CodePoints one() {
    int begin = at;
    int c = source.codePointAt(at);
    at += Character.charCount(c);
    return switch (c) {
      case '.' -> DOT;
      case '[' -> characterClass(begin);
      case '\\' -> escape(begin, false, false);
      case '*', '+', '?', '{' ->
          throw error(begin, "there is nothing before '%c' to repeat".formatted(c));
      default -> scalar(begin, c);
    };
  }

  private CodePoints characterClass(int begin) {
    boolean not = at < source.length() && source.charAt(at) == '^';
    at += not ? 1 : 0;
    CodePoints set = CodePoints.NONE;
    while (at < source.length() && source.charAt(at) != ']') {
      CodePoints first = member(not);
      if (source.startsWith("-", at) && !source.startsWith("-]", at)) {
        int hyphen = at++;
        CodePoints last = at < source.length() ? member(not) : CodePoints.NONE;
        if (!isOne(first) || !isOne(last) || last.first(0) < first.first(0)) {
          throw error(hyphen, "this is no range; a hyphen that is meant is written \\-");
        }
        first = CodePoints.range(first.first(0), last.first(0));
      }
      set = set.or(first);
    }
    if (at == source.length()) {
      throw error(begin, "the class that begins here is not closed");
    }
    at++;
    return not ? set.not() : set;
  }

  private static boolean isOne(CodePoints set) {
    return set.count() == 1 && set.first(0) == set.last(0);
  }

  private CodePoints member(boolean not) {
    int begin = at;
    int c = source.codePointAt(at);
    at += Character.charCount(c);
    return c == '\\' ? escape(begin, true, not) : scalar(begin, c);
  }

  /// @param inNot whether what is read is going to be left out
  private CodePoints escape(int begin, boolean inClass, boolean inNot) {
    if (at == source.length()) {
      throw error(begin, "a backslash stands at the end");
    }
    char c = source.charAt(at++);
    return switch (c) {
      case 'd' -> DIGIT;
      case 'D' -> DIGIT.not();
      case 'w' -> WORD;
      case 'W' -> WORD.not();
      case 's' -> inNot ? ANY_SPACE : SPACE;
      case 'S' -> (inNot ? SPACE : ANY_SPACE).not();
      case 'n' -> CodePoints.of('\n');
      case 'r' -> CodePoints.of('\r');
      case 't' -> CodePoints.of('\t');
      case 'f' -> CodePoints.of('\f');
      case 'v' -> CodePoints.of(0x0B);
      case 'x' -> scalar(begin, hex(begin, 2));
      case 'u' -> scalar(begin, unicode(begin));
      case 'p', 'P' -> category(begin, c == 'P');
      case 'b' -> {
        if (!inClass) {
          throw error(begin, "the word boundary \\b is not supported");
        }
        yield CodePoints.of('\b');
      }
      case '0' -> CodePoints.of(0);
      default -> {
        if (c >= '1' && c <= '9' || c == 'k') {
          throw error(begin, "the back reference \\%c is not supported".formatted(c));
        }
        if (c == 'B') {
          throw error(begin, "the word boundary \\B is not supported");
        }
        if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
          throw error(begin, "unknown escape \\" + c);
        }
        at--;
        int meant = source.codePointAt(at);
        at += Character.charCount(meant);
        yield scalar(begin, meant);
      }
    };
  }

  private int unicode(int begin) {
    if (source.startsWith("{", at)) {
      int close = source.indexOf('}', at);
      String digits = close < 0 ? "" : source.substring(at + 1, close);
      if (!digits.matches("[0-9a-fA-F]{1,6}")) {
        throw error(begin, "expected \\u{1 to 6 hexadecimal digits}");
      }
      at = close + 1;
      return Integer.parseInt(digits, 16);
    }
    int c = hex(begin, 4);
    if (Character.isHighSurrogate((char) c) && source.startsWith("\\u", at)) {
      at += 2;
      int low = hex(begin, 4);
      return Character.isLowSurrogate((char) low) ? Character.toCodePoint((char) c, (char) low) : c;
    }
    return c;
  }

  private int hex(int begin, int digits) {
    String found = source.substring(at, Math.min(source.length(), at + digits));
    if (!found.matches("[0-9a-fA-F]{" + digits + "}")) {
      throw error(begin, "expected %d hexadecimal digits".formatted(digits));
    }
    at += digits;
    return Integer.parseInt(found, 16);
  }

  /// `\p{L}`, `\p{Lu}`: a general category.
  private CodePoints category(int begin, boolean not) {
    int close = source.indexOf('}', at);
    String name = source.startsWith("{", at) && close > 0 ? source.substring(at + 1, close) : "";
    var pattern = List.of("L", "Lu", "Ll", "N", "Nd", "P", "S", "Z", "Zs");
    if (!pattern.contains(name)) {
      throw error(
          begin,
          "\\%s{%s} is not supported; of Unicode's properties there are %s"
              .formatted(not ? "P" : "p", name, String.join(" ", pattern)));
    }
    at = close + 1;
    var category = java.util.regex.Pattern.compile("\\p{" + name + "}").asMatchPredicate();
    CodePoints set = CodePoints.where(c -> category.test(Character.toString(c)));
    return not ? set.not() : set;
  }

  private CodePoints scalar(int begin, int c) {
    if (!CodePoints.ALL.contains(c) || c > 0x10FFFF) {
      throw error(begin, String.format(Locale.ROOT, "U+%04X is no character", c));
    }
    return CodePoints.of(c);
  }

  private ConstraintException error(int place, String message) {
    return new ConstraintException("%s, at character %d: %s".formatted(where, place + 1, message));
  }
}
