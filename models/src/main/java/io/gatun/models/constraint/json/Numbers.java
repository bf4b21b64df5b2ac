package io.gatun.models.constraint.json;

import io.gatun.models.constraint.ConstraintException;
import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;

/// Numbers within bounds, as sets of their spellings.
final class Numbers {
  /// As many digits as a double holds: then bounds are kept after rounding, too.
  private static final int DIGITS = 15;

  private static final int MOST_MULTIPLE = 1000;
  private static final int MOST_DIGITS = 60;

  private static final Expr DIGIT = new Expr.Chars(CodePoints.range('0', '9'));

  private static final Expr WHOLE =
      Expr.choice(
          Expr.text("0"),
          Expr.sequence(new Expr.Chars(CodePoints.range('1', '9')), Expr.any(DIGIT)));

  private Numbers() {}

  /// Any number; exponents have two digits at most.
  static Expr any() {
    return Expr.sequence(
        Expr.optional(Expr.text("-")),
        WHOLE,
        Expr.optional(Expr.sequence(Expr.text("."), new Expr.Repeat(DIGIT, 1, Expr.UNBOUNDED))),
        Expr.optional(
            Expr.sequence(
                new Expr.Chars(CodePoints.of("eE")),
                Expr.optional(new Expr.Chars(CodePoints.of("+-"))),
                new Expr.Repeat(DIGIT, 1, 2))));
  }

  /// Any integer, without fraction and exponent.
  static Expr anyInteger() {
    return Expr.sequence(Expr.optional(Expr.text("-")), WHOLE);
  }

  /// Bounds of a number; null where there is none.
  record Range(BigDecimal min, boolean aboveMin, BigDecimal max, boolean belowMax) {
    static final Range ALL = new Range(null, false, null, false);

    boolean isAll() {
      return min == null && max == null;
    }

    Range atLeast(BigDecimal bound, boolean above) {
      int order = min == null ? 1 : bound.compareTo(min);
      return order > 0
          ? new Range(bound, above, max, belowMax)
          : order == 0 ? new Range(min, aboveMin || above, max, belowMax) : this;
    }

    Range atMost(BigDecimal bound, boolean below) {
      int order = max == null ? -1 : bound.compareTo(max);
      return order < 0
          ? new Range(min, aboveMin, bound, below)
          : order == 0 ? new Range(min, aboveMin, max, belowMax || below) : this;
    }

    boolean contains(BigDecimal x) {
      return (min == null || x.compareTo(min) > (aboveMin ? 0 : -1))
          && (max == null || x.compareTo(max) < (belowMax ? 0 : 1));
    }

    boolean isEmpty() {
      int order = min == null || max == null ? -1 : min.compareTo(max);
      return order > 0 || (order == 0 && (aboveMin || belowMax));
    }
  }

  /// The integers of a range that are multiples of all of `multiples`, without fraction and
  /// exponent.
  ///
  /// @param where for messages
  static CharDfa integers(Range range, List<BigDecimal> multiples, String where) {
    BigInteger min = range.min == null ? null : bound(range.min, range.aboveMin, true);
    BigInteger max = range.max == null ? null : bound(range.max, range.belowMax, false);
    var options = new ArrayList<Expr>();
    if (max == null || max.signum() >= 0) {
      options.add(between(min == null ? BigInteger.ZERO : min.max(BigInteger.ZERO), max, where));
    }
    if (min == null || min.signum() < 0) {
      BigInteger from = max == null ? BigInteger.ONE : max.negate().max(BigInteger.ONE);
      options.add(
          Expr.sequence(Expr.text("-"), between(from, min == null ? null : min.negate(), where)));
    }
    CharDfa all = CharDfa.of(new Expr.Choice(options));
    for (BigDecimal multiple : multiples) {
      all = all.and(multiplesOf(multiple, where));
    }
    return all;
  }

  private static BigInteger bound(BigDecimal bound, boolean strict, boolean lower) {
    BigInteger near =
        bound.setScale(0, lower ? RoundingMode.CEILING : RoundingMode.FLOOR).toBigInteger();
    boolean exact = new BigDecimal(near).compareTo(bound) == 0;
    BigInteger step = lower ? BigInteger.ONE : BigInteger.ONE.negate();
    return strict && exact ? near.add(step) : near;
  }

  /// Integers from `min`, which is not negative, to `max`, or all above if that is null.
  private static Expr between(BigInteger min, BigInteger max, String where) {
    if (max == null) {
      String low = digits(min, where);
      BigInteger next = BigInteger.TEN.pow(low.length());
      Expr longer =
          Expr.sequence(
              new Expr.Chars(CodePoints.range('1', '9')),
              new Expr.Repeat(DIGIT, low.length(), Expr.UNBOUNDED));
      return Expr.choice(between(min, next.subtract(BigInteger.ONE), where), longer);
    }
    var options = new ArrayList<Expr>();
    int longest = digits(max, where).length();
    for (int n = digits(min, where).length(); n <= longest && min.compareTo(max) <= 0; n++) {
      BigInteger least = n == 1 ? BigInteger.ZERO : BigInteger.TEN.pow(n - 1);
      BigInteger most = BigInteger.TEN.pow(n).subtract(BigInteger.ONE);
      String low = least.max(min).toString();
      String high = most.min(max).toString();
      options.add(sameLength(low, high));
    }
    return new Expr.Choice(options);
  }

  private static String digits(BigInteger number, String where) {
    String digits = number.toString();
    if (digits.length() > MOST_DIGITS) {
      throw new ConstraintException(
          "%s: a bound has %d digits; at most %d are supported"
              .formatted(where, digits.length(), MOST_DIGITS));
    }
    return digits;
  }

  /// Digits from `low` to `high`, which have the same number of them.
  private static Expr sameLength(String low, String high) {
    if (low.isEmpty()) {
      return Expr.EMPTY;
    }
    char a = low.charAt(0);
    char b = high.charAt(0);
    String lowRest = low.substring(1);
    String highRest = high.substring(1);
    if (a == b) {
      return Expr.sequence(Expr.text("" + a), sameLength(lowRest, highRest));
    }
    int n = lowRest.length();
    var options = new ArrayList<Expr>();
    options.add(Expr.sequence(Expr.text("" + a), sameLength(lowRest, "9".repeat(n))));
    if (b - a > 1) {
      options.add(
          Expr.sequence(
              new Expr.Chars(CodePoints.range(a + 1, b - 1)), new Expr.Repeat(DIGIT, n, n)));
    }
    options.add(Expr.sequence(Expr.text("" + b), sameLength("0".repeat(n), highRest)));
    return new Expr.Choice(options);
  }

  private static CharDfa multiplesOf(BigDecimal multiple, String where) {
    if (multiple.signum() > 0 && multiple.compareTo(BigDecimal.ONE) < 0 && isPowerOfTen(multiple)) {
      return CharDfa.ANY;
    }
    if (multiple.signum() <= 0
        || multiple.stripTrailingZeros().scale() > 0
        || multiple.compareTo(BigDecimal.valueOf(MOST_MULTIPLE)) > 0) {
      throw new ConstraintException(
          "%s: multipleOf %s is not supported; it may be 1 to %d, or 0.1, 0.01 and so on"
              .formatted(where, multiple, MOST_MULTIPLE));
    }
    return CharDfa.remainders(multiple.intValueExact());
  }

  private static boolean isPowerOfTen(BigDecimal number) {
    return number.stripTrailingZeros().unscaledValue().equals(BigInteger.ONE);
  }

  /// The numbers of a range, without exponent and with so few digits after the point that bounds
  /// are kept when they are read as doubles.
  static CharDfa decimals(Range range, List<BigDecimal> multiples, String where) {
    int whole = 1;
    for (BigDecimal bound : new BigDecimal[] {range.min, range.max}) {
      if (bound != null) {
        whole = Math.max(whole, digits(bound.abs().toBigInteger(), where).length());
      }
    }
    int places = Math.max(1, DIGITS - whole);
    for (BigDecimal multiple : multiples) {
      boolean integral = multiple.stripTrailingZeros().scale() <= 0;
      if (integral) {
        return integers(range, multiples, where);
      }
      if (!isPowerOfTen(multiple)) {
        multiplesOf(multiple, where); // refuses it
      }
      places = Math.min(places, multiple.stripTrailingZeros().scale());
    }
    Expr fraction = Expr.sequence(Expr.text("."), new Expr.Repeat(DIGIT, 1, places));
    CharDfa form = CharDfa.of(Expr.sequence(WHOLE, Expr.optional(fraction)));
    CharDfa all = CharDfa.of(Expr.NOTHING);
    if (range.max == null || range.max.signum() >= 0) {
      CharDfa positive = form;
      if (range.min != null && range.min.signum() >= 0) {
        positive = positive.and(above(range.min, range.aboveMin, where));
      }
      if (range.max != null) {
        positive = positive.and(below(range.max, range.belowMax, where));
      }
      all = all.or(positive);
    }
    if (range.min == null || range.min.signum() < 0) {
      boolean toZero = range.max == null || range.max.signum() >= 0;
      BigDecimal least = toZero ? BigDecimal.ZERO : range.max.negate();
      CharDfa negative = form.and(above(least, toZero || range.belowMax, where));
      if (range.min != null) {
        negative = negative.and(below(range.min.negate(), range.aboveMin, where));
      }
      if (!negative.isEmpty()) {
        all =
            all.or(
                CharDfa.of(
                    Expr.sequence(Expr.text("-"), new Expr.Machine(negative, Expr.Chars::new))));
      }
    }
    return all;
  }

  /// Spellings of numbers of at least `bound`, which is not negative.
  private static CharDfa above(BigDecimal bound, boolean strict, String where) {
    var parts = Parts.of(bound, where);
    Expr rest = Expr.optional(Expr.sequence(Expr.text("."), Expr.any(DIGIT)));
    var options = new ArrayList<Expr>();
    options.add(Expr.sequence(between(parts.whole.add(BigInteger.ONE), null, where), rest));
    var same = new ArrayList<Expr>();
    String f = parts.fraction;
    for (int i = 0; i < f.length(); i++) {
      if (f.charAt(i) < '9') {
        same.add(differing(f, i, f.charAt(i) + 1, '9'));
      }
    }
    Expr zeros = Expr.any(Expr.text("0"));
    Expr nonZero = new Expr.Chars(CodePoints.range('1', '9'));
    same.add(Expr.sequence(Expr.text("." + f), zeros, nonZero, Expr.any(DIGIT)));
    if (!strict) {
      same.add(equal(f));
    }
    options.add(Expr.sequence(Expr.text(parts.whole.toString()), new Expr.Choice(same)));
    return CharDfa.of(new Expr.Choice(options));
  }

  /// Spellings of numbers of at most `bound`, which is not negative.
  private static CharDfa below(BigDecimal bound, boolean strict, String where) {
    var parts = Parts.of(bound, where);
    Expr rest = Expr.optional(Expr.sequence(Expr.text("."), Expr.any(DIGIT)));
    var options = new ArrayList<Expr>();
    if (parts.whole.signum() > 0) {
      BigInteger less = parts.whole.subtract(BigInteger.ONE);
      options.add(Expr.sequence(between(BigInteger.ZERO, less, where), rest));
    }
    var same = new ArrayList<Expr>();
    String f = parts.fraction;
    for (int i = 0; i < f.length(); i++) {
      same.add(i == 0 ? Expr.EMPTY : Expr.text("." + f.substring(0, i)));
      if (f.charAt(i) > '0') {
        same.add(differing(f, i, '0', f.charAt(i) - 1));
      }
    }
    if (!strict) {
      same.add(equal(f));
    }
    options.add(Expr.sequence(Expr.text(parts.whole.toString()), new Expr.Choice(same)));
    return CharDfa.of(new Expr.Choice(options));
  }

  /// Fractions that differ from `f` first at place i, where they have a digit of these.
  private static Expr differing(String f, int i, int first, int last) {
    return Expr.sequence(
        Expr.text("." + f.substring(0, i)),
        new Expr.Chars(CodePoints.range(first, last)),
        Expr.any(DIGIT));
  }

  private static Expr equal(String f) {
    Expr zeros = Expr.any(Expr.text("0"));
    return f.isEmpty()
        ? Expr.optional(Expr.sequence(Expr.text(".0"), zeros))
        : Expr.sequence(Expr.text("." + f), zeros);
  }

  /// The digits before the point, and those after it without zeros at the end.
  private record Parts(BigInteger whole, String fraction) {
    static Parts of(BigDecimal number, String where) {
      BigInteger whole = number.toBigInteger();
      digits(whole, where);
      BigDecimal fraction = number.subtract(new BigDecimal(whole)).stripTrailingZeros();
      if (fraction.scale() > MOST_DIGITS) {
        throw new ConstraintException(
            "%s: a bound has %d digits after the point; at most %d are supported"
                .formatted(where, fraction.scale(), MOST_DIGITS));
      }
      String text = fraction.signum() == 0 ? "" : fraction.toPlainString().substring(2);
      return new Parts(whole, text);
    }
  }
}
