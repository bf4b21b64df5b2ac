package io.gatun.models.engine;

import io.gatun.tensor.sequence.CacheLayout;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/// Says who of those that wait is next.
///
/// @param running in the order in which they were admitted
record Admission(EngineOptions options, Memory memory, List<Task> running) {
  /// The first if it has waited long, or else the one of which the cache holds most; not one whose
  /// beginning is being read for another just now.
  ///
  /// @return null if nobody should begin now
  Task next(Deque<Task> waiting) {
    var first = waiting.peekFirst();
    if (first == null || first.waited() > options.ageLimit.toNanos() / 1e9) {
      return first;
    }
    Task best = null;
    int most = -1;
    for (var task : waiting) {
      int held = memory.held(task);
      if (held > most && !isBeingRead(task, held)) {
        most = held;
        best = task;
      }
    }
    return best;
  }

  private boolean isBeingRead(Task task, int held) {
    return options.prefixCache
        && task.request().cache()
        && running.stream()
            .filter(Task::isReading)
            .anyMatch(
                other -> {
                  int alike =
                      Arrays.mismatch(
                          task.tokens(), 0, task.length(), other.tokens(), 0, other.length());
                  return (alike < 0 ? task.length() : alike) >= held + CacheLayout.PAGE;
                });
  }

  /// Whether there are places and memory for a task. Alone it may always try.
  boolean fits(Task task) {
    int taken = running.stream().mapToInt(each -> 1 + each.followers().size()).sum();
    return taken + 1 + task.followers().size() <= options.parallel
        && (running.isEmpty() || memory.fits(task));
  }
}
