package io.gatun.server.http;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/// How many requests came, are being answered, and went wrong.
public final class RequestCounts {
  private final Map<String, LongAdder> requests = new ConcurrentSkipListMap<>();
  private final Map<String, LongAdder> running = new ConcurrentSkipListMap<>();
  private final Map<Integer, LongAdder> errors = new ConcurrentSkipListMap<>();

  /// A request that is being answered until this is closed.
  interface Running extends AutoCloseable {
    @Override
    void close();
  }

  Running begin(String path) {
    requests.computeIfAbsent(path, _ -> new LongAdder()).increment();
    var now = running.computeIfAbsent(path, _ -> new LongAdder());
    now.increment();
    return now::decrement;
  }

  void error(int status) {
    errors.computeIfAbsent(status, _ -> new LongAdder()).increment();
  }

  /// All that came, by path.
  public Map<String, Long> requests() {
    return sums(requests);
  }

  /// Those that are being answered, by path.
  public Map<String, Long> running() {
    return sums(running);
  }

  /// Those that were refused or failed, by status.
  public Map<Integer, Long> errors() {
    return sums(errors);
  }

  private static <K> Map<K, Long> sums(Map<K, LongAdder> of) {
    var sums = new TreeMap<K, Long>();
    of.forEach((key, n) -> sums.put(key, n.sum()));
    return sums;
  }
}
