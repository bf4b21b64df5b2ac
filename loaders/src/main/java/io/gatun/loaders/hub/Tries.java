package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/// How often something is tried again, and after what pause.
final class Tries {
  /// Longer than this nobody wants to wait before an empty screen.
  private static final Duration LONGEST = Duration.ofMinutes(5);

  /// How often an address is looked up that nothing came from yet: the name may be a wrong path.
  private static final int LOOKUPS = 2;

  private final HubOptions options;
  private final String what;
  private int failures;
  private boolean reached;

  Tries(HubOptions options, String what) {
    this.options = options;
    this.what = what;
  }

  /// Something was gained: what fails from now on is tried as often as at first.
  void gained() {
    failures = 0;
    reached = true;
  }

  /// Waits after a failure of the network.
  ///
  /// @throws CheckpointException if it was the last
  void failed(IOException e) {
    String reason = reason(e);
    failures++;
    if (isUnresolved(e) && !reached && failures >= Math.min(LOOKUPS, options.tries)) {
      throw new CheckpointException(
          "%s: %s If a path was meant, there is nothing of that name".formatted(what, reason), e);
    }
    if (failures >= options.tries) {
      throw new CheckpointException(
          "%s: %s, in %d tries. What is there already stays: the same command goes on from it"
              .formatted(what, reason, failures),
          e);
    }
    pause(reason, backoff());
  }

  /// Waits after an answer that may be another one later.
  ///
  /// @throws CheckpointException `refusal`, if that is not so, or it was the last
  void refused(CheckpointException refusal, HttpResponse<?> response) {
    int status = response.statusCode();
    boolean passes = status == 408 || status == 429 || status >= 500;
    if (!passes || ++failures >= options.tries) {
      throw refusal;
    }
    Duration asked = retryAfter(response);
    if (asked != null && asked.compareTo(LONGEST) > 0) {
      throw refusal;
    }
    pause("the server answers " + status, asked != null ? asked : backoff());
  }

  private Duration backoff() {
    var pause = options.pause.multipliedBy(1L << Math.min(failures - 1, 10));
    return pause.compareTo(LONGEST) > 0 ? LONGEST : pause;
  }

  private void pause(String reason, Duration pause) {
    options.progress.note(
        "%s: %s; trying again%s"
            .formatted(
                what, reason, pause.toSeconds() > 1 ? " in " + pause.toSeconds() + " s" : ""));
    try {
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      throw HubClient.interrupted(e);
    }
  }

  /// What the server asks to wait, in seconds or until a time; null if it does not.
  static Duration retryAfter(HttpResponse<?> response) {
    String value = response.headers().firstValue("Retry-After").orElse("").strip();
    if (value.matches("\\d{1,9}")) {
      return Duration.ofSeconds(Long.parseLong(value));
    }
    try {
      var then = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
      var wait = Duration.between(Instant.now(), then);
      return wait.isNegative() ? Duration.ZERO : wait;
    } catch (DateTimeException e) {
      return null;
    }
  }

  static String reason(IOException e) {
    if (isUnresolved(e)) {
      return "the hub's address is not known here: is there a network?";
    }
    if (e instanceof ConnectException) {
      return "the hub cannot be reached"
          + (e.getMessage() == null ? "" : " (" + e.getMessage() + ")");
    }
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static boolean isUnresolved(IOException e) {
    for (Throwable t = e; t != null; t = t.getCause()) {
      if (t instanceof UnresolvedAddressException) {
        return true;
      }
    }
    return false;
  }
}
