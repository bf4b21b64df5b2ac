package io.gatun.models.constraint.json;

import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.Regex;
import java.util.Map;

/// The formats that are enforced; others are annotations, as JSON Schema has it.
final class Formats {
  private static final String LEAP =
      "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29";
  private static final String DATE =
      "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)"
          + "|02-(0[1-9]|1\\d|2[0-8]))|"
          + LEAP
          + ")";
  private static final String TIME =
      "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-](0\\d|1[0-3]):[0-5]\\d)";
  private static final String LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?";
  private static final String HOST = LABEL + "(\\." + LABEL + "){0,4}\\.[a-z]{2,10}";

  /// Domains that validators know; some refuse an address in any other.
  private static final String DOMAIN =
      "(com|org|net|edu|gov|int|info|biz|io|dev|app|ai|co|eu|us|uk|ca|au|nz|de|at|ch|fr|es|pt|it|nl|be"
          + "|lu|dk|se|no|fi|ie|pl|cz|gr|ru|ua|tr|il|za|in|cn|jp|kr|sg|br|ar|mx|cl)";

  private static final String BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
  private static final String PATH = "(/[A-Za-z0-9._~-]{0,60}){0,8}";

  private static final Map<String, String> PATTERNS =
      Map.ofEntries(
          Map.entry("date", DATE),
          Map.entry("time", TIME),
          Map.entry("date-time", DATE + "T" + TIME),
          Map.entry(
              "duration",
              "P(\\d{1,4}W|(\\d{1,4}Y(\\d{1,4}M(\\d{1,4}D)?)?|\\d{1,4}M(\\d{1,4}D)?|\\d{1,4}D)"
                  + "(T(\\d{1,4}H(\\d{1,4}M(\\d{1,4}S)?)?|\\d{1,4}M(\\d{1,4}S)?|\\d{1,4}S))?"
                  + "|T(\\d{1,4}H(\\d{1,4}M(\\d{1,4}S)?)?|\\d{1,4}M(\\d{1,4}S)?|\\d{1,4}S))"),
          Map.entry(
              "uuid",
              "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
          Map.entry("ipv4", BYTE + "(\\." + BYTE + "){3}"),
          Map.entry("ipv6", "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"),
          Map.entry("hostname", HOST),
          Map.entry(
              "email",
              "[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,10}){0,3}@("
                  + LABEL
                  + "\\.){1,4}"
                  + DOMAIN),
          Map.entry("uri", "https?://" + HOST + PATH + "(\\?[A-Za-z0-9._~=&-]{0,60})?"));

  private Formats() {}

  static boolean isEnforced(String format) {
    return PATTERNS.containsKey(format);
  }

  /// The texts of a format that is enforced; of some only the usual ones.
  static CharDfa of(String format) {
    return CharDfa.of(Regex.whole(PATTERNS.get(format), "format " + format));
  }
}
