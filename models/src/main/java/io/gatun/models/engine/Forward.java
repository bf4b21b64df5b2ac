package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.decoder.Batch;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Computes steps: the rows of several tasks at once, and what the model says of those that follow.
///
/// @param steps whose they are
/// @param choices where the next tokens are chosen
record Forward(Llm llm, Memory memory, Choices choices, Steps steps) {
  /// What is computed of a task in a step.
  ///
  /// @param count tokens that are read
  /// @param guess what may follow them
  /// @param isLast whether the next token is chosen then
  /// @param length tokens that it has before that
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Rows(Task task, int count, int[] guess, boolean isLast, int length) {
    /// The next tokens of a task.
    static Rows of(Task task, int count, int... guess) {
      return new Rows(task, count, guess, count == task.pending(), task.length());
    }

    int size() {
      return count + guess.length;
    }

    /// How many rows' logits are needed, from the end.
    int wanted() {
      boolean all = task.isJudged() && task.sequence().length() + 1 < task.promptLength();
      return all ? size() : isLast ? 1 + guess.length : 0;
    }
  }

  /// Computes some rows, and chooses the next token of those who are done with theirs.
  void run(Ops ops, List<Rows> rows) {
    if (rows.isEmpty()) {
      return;
    }
    try {
      forward(ops, rows);
    } catch (RuntimeException e) {
      if (llm.ops().owner().isClosed()) {
        throw e;
      }
      // Whose fault it is turns out when each is alone.
      for (var each : rows) {
        var task = each.task;
        var sequence = task.sequence();
        if (sequence == null) {
          continue; // it has ended in this step
        }
        if (rows.size() == 1) {
          steps.fail(task, e);
        } else if (sequence.restorable(sequence.length()) == sequence.length()
            && task.pending() >= each.count) {
          sequence.truncate(sequence.length());
          run(ops, List.of(each));
        } else {
          steps.preempt(task);
        }
      }
    }
  }

  /// A row whose logits are needed.
  ///
  /// @param at of those of its task
  record Row(Rows of, int at, int position) {
    Task task() {
      return of.task;
    }

    /// How many guessed tokens the next one follows; negative if none is chosen here.
    private int guessed() {
      return of.isLast ? at - of.count + 1 : -1;
    }

    /// Whether a token may be chosen here.
    boolean isWritten() {
      return guessed() >= 0;
    }

    /// Whether the first token is chosen here that was not there before the step.
    boolean isFirst() {
      return guessed() == 0;
    }

    /// Whether what was guessed before it has been chosen.
    boolean isReached() {
      int guessed = guessed();
      return guessed == 0
          || of.task.length() == of.length + guessed && of.task.last() == of.guess[guessed - 1];
    }
  }

  private void forward(Ops ops, List<Rows> rows) {
    try (var _ = llm.ops().owner().turn();
        var _ = ops.scope()) {
      var all =
          Batch.of(
              rows.stream().map(r -> r.task.sequence()).toList(),
              rows.stream().map(r -> r.task.next(r.count, r.guess)).toList());
      var needed = new ArrayList<Row>();
      var wanted = IntStream.builder();
      for (int i = 0; i < rows.size(); i++) {
        var each = rows.get(i);
        var span = all.spans().get(i);
        for (int at = each.size() - each.wanted(); at < each.size(); at++) {
          needed.add(new Row(each, at, span.position() + at));
          wanted.add(span.from() + at);
        }
      }
      long start = System.nanoTime();
      var batch = new Batch(all.ids(), all.positions(), all.spans(), wanted.build().toArray());
      var hidden = llm.model().forward(ops, batch); // (W, D)
      for (var each : rows) {
        if (each.guess.length == 0) {
          memory.save(each.task);
        }
      }
      long[] choosing = {0};
      llm.model()
          .logits(
              ops,
              hidden,
              (first, logits) -> {
                long before = System.nanoTime();
                int to = first + Math.toIntExact(logits.dim(0));
                choices.choose(needed.subList(first, to), logits);
                choosing[0] += System.nanoTime() - before;
              });
      steps.counts().modelSeconds += (System.nanoTime() - start - choosing[0]) / 1e9;
      for (var each : rows) {
        if (each.guess.length > 0) {
          forget(each.task);
        }
      }
    }
  }

  /// Forgets what was guessed wrong.
  static void forget(Task task) {
    var sequence = task.sequence();
    if (sequence != null && sequence.length() >= task.length()) {
      sequence.truncate(sequence.restorable(task.length() - 1));
    }
  }
}
