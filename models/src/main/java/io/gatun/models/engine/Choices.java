package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.engine.Forward.Row;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sampling.Candidates;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/// Chooses the next tokens of all answers of a step, each on one of the model's threads: with a
/// large vocabulary it takes a part of the step that can be seen.
final class Choices {
  private final Llm llm;
  private final Steps steps;

  /// For each thread, from when it is used.
  private final Candidates[] scratch;

  Choices(Llm llm, Steps steps) {
    this.llm = llm;
    this.steps = steps;
    scratch = new Candidates[llm.ops().workers().threads()];
  }

  private Candidates scratch(int worker) {
    if (scratch[worker] == null) {
      scratch[worker] = new Candidates(llm.model().config().vocabSize());
    }
    return scratch[worker];
  }

  /// One answer and what the model says of its next tokens.
  private static final class Choice {
    private final Task task;
    private final List<Row> rows = new ArrayList<>();
    private final List<MemorySegment> logits = new ArrayList<>();
    private Reason reason;
    private RuntimeException failure;

    Choice(Task task) {
      this.task = task;
    }

    void add(Row row, MemorySegment of) {
      rows.add(row);
      logits.add(of);
    }

    /// Chooses token after token, as long as they were guessed.
    void run(Stats.Counts counts, Candidates scratch) {
      try {
        for (int i = 0; i < rows.size() && reason == null && rows.get(i).isReached(); i++) {
          reason = task.choose(logits.get(i), scratch, counts);
        }
      } catch (RuntimeException e) {
        failure = e;
      }
    }
  }

  /// Goes on with the answers that have logits (T, V) among these.
  void choose(List<Row> rows, Tensor logits) {
    var all =
        IntStream.range(0, rows.size()).mapToObj(i -> logits.slice(0, i, i + 1).segment()).toList();
    judge(rows, all);
    Map<Task, Choice> byTask = new LinkedHashMap<>();
    for (int i = 0; i < all.size(); i++) {
      var row = rows.get(i);
      var task = row.task();
      if (task.sequence() == null || !row.isWritten()) {
        continue; // it has ended, or its prompt is being read
      }
      byTask.computeIfAbsent(task, Choice::new).add(row, all.get(i));
      if (row.isFirst()) {
        for (var follower : steps.startFollowers(task)) {
          var choice = new Choice(follower);
          choice.add(row, all.get(i));
          byTask.put(follower, choice);
        }
      }
    }
    var choices = List.copyOf(byTask.values());
    workers()
        .forEach(
            choices.size(),
            1,
            (worker, from, to) -> {
              for (int i = (int) from; i < to; i++) {
                choices.get(i).run(steps.counts(), scratch(worker));
              }
            });
    for (var choice : choices) {
      if (choice.failure != null) {
        steps.fail(choice.task, choice.failure);
      } else if (choice.reason != null) {
        Forward.forget(choice.task);
        steps.finish(choice.task, choice.reason);
      }
    }
  }

  private Workers workers() {
    return llm.ops().workers();
  }

  /// Makes sure that these are numbers, and takes in how likely the prompts' own tokens were.
  private void judge(List<Row> rows, List<MemorySegment> logits) {
    var failures = new RuntimeException[rows.size()];
    workers()
        .forEach(
            failures.length,
            1,
            (worker, from, to) -> {
              for (int i = (int) from; i < to; i++) {
                try {
                  NotFinite.check("the logits", logits.get(i), llm.checkpoint());
                  rows.get(i).task().judge(rows.get(i).position(), logits.get(i), scratch(worker));
                } catch (RuntimeException e) {
                  failures[i] = e;
                }
              }
            });
    for (int i = 0; i < failures.length; i++) {
      if (failures[i] != null && rows.get(i).task().sequence() != null) {
        steps.fail(rows.get(i).task(), failures[i]);
      }
    }
  }
}
