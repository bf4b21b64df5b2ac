package io.gatun.models.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Locale;

/// Python's numbers: integers of any size (`Long` where it fits, else `BigInteger`), floats, and
/// booleans, which count as 0 and 1.
final class Numbers {
  /// As many as Python reads and prints.
  static final int MAX_DIGITS = 4300;

  private static final int MAX_BITS = 16_384;

  private Numbers() {}

  static boolean isNumber(Object value) {
    return value instanceof Long
        || value instanceof Double
        || value instanceof Boolean
        || value instanceof BigInteger;
  }

  static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Boolean || value instanceof BigInteger;
  }

  /// @throws TemplateError if the number is larger than any template needs
  static Object of(BigInteger value) {
    if (value.bitLength() < 64) {
      return value.longValue();
    }
    if (value.bitLength() > MAX_BITS) {
      throw new TemplateError("it makes a number of more than %d bits".formatted(MAX_BITS));
    }
    return value;
  }

  /// The steps that working with a number takes.
  static long cost(Object number) {
    return number instanceof BigInteger n ? n.bitLength() : 0;
  }

  static BigInteger big(Object value) {
    return switch (value) {
      case Long n -> BigInteger.valueOf(n);
      case Boolean b -> b ? BigInteger.ONE : BigInteger.ZERO;
      default -> (BigInteger) value;
    };
  }

  static double toDouble(Object value) {
    return switch (value) {
      case Double x -> x;
      case Long n -> n;
      default -> big(value).doubleValue();
    };
  }

  static int compare(Object a, Object b) {
    if (isInteger(a) && isInteger(b)) {
      return a instanceof Long x && b instanceof Long y
          ? Long.compare(x, y)
          : big(a).compareTo(big(b));
    }
    double x = toDouble(a);
    double y = toDouble(b);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }

  /// An argument that is a whole number that Java's loops can count to.
  static int toInt(Object value, String what) {
    return switch (value) {
      case Long n -> Math.clamp(n, Integer.MIN_VALUE, Integer.MAX_VALUE);
      case Boolean b -> b ? 1 : 0;
      case BigInteger n -> n.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
      case null, default ->
          throw new TemplateError(
              "%s is of type '%s'; need an integer".formatted(what, Values.typeName(value)));
    };
  }

  static Object negate(Object value) {
    return value instanceof Double x ? (Object) (-x) : of(big(value).negate());
  }

  /// `+ - * / // % **` of two numbers.
  static Object arithmetic(String operator, Object a, Object b) {
    if (a instanceof Double || b instanceof Double || operator.equals("/")) {
      return arithmetic(operator, toDouble(a), toDouble(b));
    }
    BigInteger x = big(a);
    BigInteger y = big(b);
    return switch (operator) {
      case "+" -> of(x.add(y));
      case "-" -> of(x.subtract(y));
      case "*" -> of(x.multiply(y));
      case "//" -> of(floor(x, y)[0]);
      case "%" -> of(floor(x, y)[1]);
      default -> power(x, y);
    };
  }

  /// Quotient and remainder as Python's: the remainder has the divisor's sign.
  private static BigInteger[] floor(BigInteger x, BigInteger y) {
    if (y.signum() == 0) {
      throw new TemplateError("division by zero");
    }
    BigInteger[] parts = x.divideAndRemainder(y);
    if (parts[1].signum() != 0 && parts[1].signum() != y.signum()) {
      parts[0] = parts[0].subtract(BigInteger.ONE);
      parts[1] = parts[1].add(y);
    }
    return parts;
  }

  private static Object power(BigInteger x, BigInteger y) {
    if (y.signum() < 0) {
      return arithmetic("**", x.doubleValue(), y.doubleValue());
    }
    if (x.bitLength() > 1 && (y.bitLength() > 31 || x.bitLength() * y.longValue() > MAX_BITS)) {
      throw new TemplateError("it makes a number of more than %d bits".formatted(MAX_BITS));
    }
    // Of 0, 1 and -1 only whether the exponent is 0 or odd matters.
    int exponent = y.bitLength() > 31 ? (y.testBit(0) ? 1 : 2) : y.intValue();
    return of(x.pow(exponent));
  }

  private static Object arithmetic(String operator, double x, double y) {
    if (y == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
      throw new TemplateError("division by zero");
    }
    return switch (operator) {
      case "+" -> x + y;
      case "-" -> x - y;
      case "*" -> x * y;
      case "/" -> x / y;
      case "//" -> Math.floor(x / y);
      case "%" -> {
        double rest = x % y;
        yield rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
      }
      default -> {
        if (x == 0 && y < 0) {
          throw new TemplateError("zero to a negative power");
        }
        yield Math.pow(x, y);
      }
    };
  }

  /// `round(n, digits)`, which only a negative number of digits changes.
  static Object round(BigInteger n, int digits) {
    return of(
        new BigDecimal(n)
            .setScale(Math.clamp(digits, -MAX_DIGITS, 0), RoundingMode.HALF_EVEN)
            .toBigInteger());
  }

  /// `round(x, digits)`: half to even, of the number's exact value.
  static double round(double x, int digits) {
    if (Double.isNaN(x) || Double.isInfinite(x) || digits > 308) {
      return x;
    }
    BigDecimal rounded = new BigDecimal(x).setScale(Math.max(digits, -330), RoundingMode.HALF_EVEN);
    return Math.copySign(rounded.doubleValue(), x);
  }

  /// As `repr` writes it.
  static String print(Object number) {
    return switch (number) {
      case Boolean b -> b ? "True" : "False";
      case Double x -> print(x.doubleValue());
      case BigInteger n -> {
        String digits = n.toString();
        if (digits.length() > MAX_DIGITS) {
          throw new TemplateError("a number has more than %d digits".formatted(MAX_DIGITS));
        }
        yield digits;
      }
      default -> number.toString();
    };
  }

  private static String print(double x) {
    if (Double.isNaN(x)) {
      return "nan";
    }
    if (Double.isInfinite(x)) {
      return x > 0 ? "inf" : "-inf";
    }
    String sign = Double.doubleToRawLongBits(x) < 0 ? "-" : "";
    if (x == 0) {
      return sign + "0.0";
    }
    // The shortest digits that give the number again, as Python's.
    BigDecimal shortest = new BigDecimal(Double.toString(Math.abs(x))).stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - shortest.scale() - 1;
    if (exponent < -4 || exponent >= 16) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      return "%s%s%se%s%02d"
          .formatted(
              sign, digits.charAt(0), fraction, exponent < 0 ? "-" : "+", Math.abs(exponent));
    }
    String plain = shortest.toPlainString();
    return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
  }

  /// `int(text)`; null if it is none.
  static Object parseInteger(String text, int base) {
    String digits = Strings.strip(text).toLowerCase(Locale.ROOT).replace("_", "");
    String sign = digits.startsWith("-") ? "-" : "";
    String unsigned =
        digits.startsWith("-") || digits.startsWith("+") ? digits.substring(1) : digits;
    String prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "\0";
    unsigned = unsigned.startsWith(prefix) ? unsigned.substring(2) : unsigned;
    if (unsigned.isEmpty()
        || unsigned.length() > MAX_DIGITS
        || base < 2
        || base > 36
        || !unsigned.chars().allMatch(c -> Character.digit(c, base) >= 0)) {
      return null;
    }
    return of(new BigInteger(sign + unsigned, base));
  }

  /// `float(text)`; null if it is none.
  static Double parseDouble(String text) {
    String digits = Strings.strip(text).toLowerCase(Locale.ROOT).replace("_", "");
    if (digits.matches("[+-]?(inf|infinity)")) {
      return digits.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }
    if (digits.matches("[+-]?nan")) {
      return Double.NaN;
    }
    if (digits.length() > MAX_DIGITS
        || !digits.matches("[+-]?(\\d++\\.?\\d*+|\\.\\d++)(e[+-]?\\d++)?")) {
      return null;
    }
    return Double.valueOf(digits);
  }
}
