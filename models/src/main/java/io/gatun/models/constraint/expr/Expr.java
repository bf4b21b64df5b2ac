package io.gatun.models.constraint.expr;

import io.gatun.models.constraint.ConstraintException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/// The form that schemas, GBNF, patterns and lists of choices are turned into: a context-free
/// grammar over characters, as a tree.
public sealed interface Expr {
  /// The most that a counted repetition may have: each count is a number of its own.
  int MOST_COUNTED = 1 << 24;

  /// The [Repeat#max] of what has none.
  int UNBOUNDED = -1;

  Expr EMPTY = new Sequence(List.of());
  Expr NOTHING = new Choice(List.of());

  /// A text.
  record Text(String text) implements Expr {}

  /// A special token, by its name: no text, whatever its characters, is one.
  record Mark(String name) implements Expr {
    /// What stands for it among the bytes of texts: no character has the byte that it begins and
    /// ends with.
    public static byte[] bytes(String name) {
      byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
      byte[] all = Arrays.copyOf(utf8, utf8.length + 2);
      System.arraycopy(utf8, 0, all, 1, utf8.length);
      all[0] = (byte) 0xFF;
      all[all.length - 1] = (byte) 0xFF;
      return all;
    }
  }

  /// One character of a set.
  record Chars(CodePoints set) implements Expr {}

  record Sequence(List<Expr> parts) implements Expr {}

  /// One of these; none of no options.
  record Choice(List<Expr> options) implements Expr {}

  /// Something several times.
  ///
  /// @param max the most times, or [#UNBOUNDED]
  record Repeat(Expr element, int min, int max) implements Expr {}

  /// The texts of an automaton, of which each set of characters is written as `spelling` says.
  record Machine(CharDfa texts, Function<CodePoints, Expr> spelling) implements Expr {}

  /// Members in a fixed order with commas between them, and any number of others after them.
  ///
  /// @param extra one of the others, or null if there are none
  /// @param min the least number in all; of the others one counts at most, for they may be the same
  /// @param max the most, or [#UNBOUNDED]
  record Members(List<Member> named, Expr comma, Expr extra, int min, int max) implements Expr {}

  record Member(Expr expr, boolean required) {}

  /// What a rule stands for.
  record Call(Rule rule) implements Expr {}

  /// A rule, which may call itself. Its body may be set after it is called.
  final class Rule {
    public final String name;
    public Expr body = NOTHING;

    public Rule(String name) {
      this.name = name;
    }

    public Rule(String name, Expr body) {
      this.name = name;
      this.body = body;
    }
  }

  static Expr text(String text) {
    return new Text(text);
  }

  /// A special token of this name, or the name as a text where a model has no such token.
  static Expr mark(String name) {
    return choice(new Mark(name), text(name));
  }

  static Expr sequence(Expr... parts) {
    return new Sequence(Arrays.asList(parts));
  }

  static Expr choice(Expr... options) {
    return new Choice(Arrays.asList(options));
  }

  static Expr optional(Expr expr) {
    return new Repeat(expr, 0, 1);
  }

  static Expr any(Expr expr) {
    return new Repeat(expr, 0, UNBOUNDED);
  }

  /// A call of a new rule.
  static Expr rule(String name, Expr body) {
    return new Call(new Rule(name, body));
  }

  /// The number of a repetition.
  ///
  /// @throws ConstraintException if it is more than [#MOST_COUNTED]
  static int count(String digits, Supplier<String> where) {
    int number = digits.length() > 9 ? Integer.MAX_VALUE : Integer.parseInt(digits);
    if (number > MOST_COUNTED) {
      throw new ConstraintException(
          "%s: a repetition of %s times is too long; at most %,d can be counted. Leave the upper bound open, or lower it"
              .formatted(where.get(), digits, MOST_COUNTED));
    }
    return number;
  }
}
