package io.gatun.models.text;

import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;

/// The functions that Hugging Face gives chat templates; public only because Jinjava calls them by
/// reflection.
public final class ChatFunctions {
  /// A template's own refusal, by `raise_exception`.
  static final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;

    Refusal(String message) {
      super(message);
    }
  }

  private static final Map<Character, String> STRFTIME =
      Map.ofEntries(
          Map.entry('d', "dd"),
          Map.entry('e', "ppd"),
          Map.entry('m', "MM"),
          Map.entry('b', "MMM"),
          Map.entry('B', "MMMM"),
          Map.entry('y', "yy"),
          Map.entry('Y', "yyyy"),
          Map.entry('a', "EEE"),
          Map.entry('A', "EEEE"),
          Map.entry('j', "DDD"),
          Map.entry('H', "HH"),
          Map.entry('I', "hh"),
          Map.entry('M', "mm"),
          Map.entry('S', "ss"),
          Map.entry('p', "a"),
          Map.entry('F', "yyyy-MM-dd"),
          Map.entry('T', "HH:mm:ss"),
          Map.entry('%', "'%'"));

  /// `raise_exception(message)`.
  public static String raiseException(String message) {
    throw new Refusal(message);
  }

  /// `strftime_now(format)`: the date and time as Python's `strftime` writes them.
  public static String strftimeNow(String format) {
    var now = LocalDateTime.now(ZoneId.systemDefault());
    var text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        text.append(c);
        continue;
      }
      String pattern = STRFTIME.get(format.charAt(++i));
      if (pattern == null) {
        throw new IllegalArgumentException("strftime_now: unknown %" + format.charAt(i));
      }
      text.append(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(now));
    }
    return text.toString();
  }

  private ChatFunctions() {}
}
