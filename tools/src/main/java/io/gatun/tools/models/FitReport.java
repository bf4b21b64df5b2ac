package io.gatun.tools.models;

import io.gatun.models.Fit;
import io.gatun.tools.console.Table;
import io.gatun.tools.console.Units;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// What `gatun inspect --fit` says.
final class FitReport {
  /// Parts of the bandwidth that decoding mostly gets.
  private static final double LOW_SHARE = 0.55;

  private static final double HIGH_SHARE = 0.7;

  private FitReport() {}

  /// Rows for people.
  ///
  /// @param bandwidth bytes that all cores read in a second; 0 if it was not measured
  static Table asTable(Fit fit, Integer asked, double bandwidth) {
    int context = fit.context(asked);
    var table = new Table("ll");
    table.row("weights", Units.bytes(fit.weights()) + ", mapped: they stay in the page cache");
    if (fit.page() > 0) {
      table.row(
          "context",
          "%s for %d tokens (of at most %d)"
              .formatted(Units.bytes(fit.contextBytes(context)), context, fit.limit()));
    }
    table.row("work", "about " + Units.bytes(fit.work()));
    table.row(
        "together",
        fit.isKnown()
            ? "%s; %s are free: %s"
                .formatted(
                    Units.bytes(fit.needed(context)),
                    Units.bytes(fit.free()),
                    fit.fits(context) ? "it fits" : "it does not fit")
            : Units.bytes(fit.needed(context)) + "; how much is free is not known on this system");
    if (!fit.fits(context)) {
      table.row("", fit.remedy());
    } else if (fit.page() > 0 && fit.isKnown()) {
      table.row("longest context", fit.longestContext() + " tokens fit");
    }
    if (bandwidth > 0 && fit.perToken() > 0) {
      double most = bandwidth / fit.perToken();
      table.row(
          "speed",
          String.format(
              Locale.ROOT,
              "about %s to %s tokens/s: each reads %s, and memory gives %.1f GB/s",
              rate(LOW_SHARE * most),
              rate(HIGH_SHARE * most),
              Units.bytes(fit.perToken()),
              bandwidth / 1e9));
    }
    return table;
  }

  /// Two digits, as more would not be true.
  private static String rate(double tokens) {
    return BigDecimal.valueOf(tokens).round(new MathContext(2)).toPlainString();
  }

  /// The same for programs.
  static Map<String, Object> toMap(Fit fit, Integer asked, double bandwidth) {
    int context = fit.context(asked);
    var map = new LinkedHashMap<String, Object>();
    map.put("weight_bytes", fit.weights());
    map.put("work_bytes", fit.work());
    map.put("context", fit.page() == 0 ? null : context);
    map.put("context_bytes", fit.page() == 0 ? null : fit.contextBytes(context));
    map.put("needed_bytes", fit.needed(context));
    map.put("free_bytes", fit.isKnown() ? fit.free() : null);
    map.put("fits", fit.isKnown() ? fit.fits(context) : null);
    map.put("longest_context", fit.page() == 0 || !fit.isKnown() ? null : fit.longestContext());
    if (bandwidth > 0 && fit.perToken() > 0) {
      map.put("bandwidth_bytes_per_second", bandwidth);
      map.put("tokens_per_second_at_most", bandwidth / fit.perToken());
    }
    return map;
  }
}
