package io.gatun.spark;

import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatEngine;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.EngineFullException;
import io.gatun.models.engine.Handle;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;

/// Answers of a partition's values in turn, of which as many are written at once as the engine
/// takes. No answer depends on what is written beside it.
final class Answers implements Iterator<Outcome>, AutoCloseable {
  /// A row that was asked, or failed to be.
  private record Asked(Handle handle, ChatAnswer answer, Outcome failed) {}

  private final ChatEngine model;
  private final Task task;
  private final GatunOptions options;
  private final int partition;
  private final Iterator<Object> values;
  private final Constraint constraint;
  private final Deque<Asked> asked = new ArrayDeque<>();
  private Object refused;
  private boolean isRefused;
  private long row;

  Answers(
      ChatEngine model, Task task, GatunOptions options, int partition, Iterator<Object> values) {
    this.model = model;
    this.task = task;
    this.options = options;
    this.partition = partition;
    this.values = values;
    constraint = options.constraint();
  }

  @Override
  public boolean hasNext() {
    return !asked.isEmpty() || isRefused || values.hasNext();
  }

  @Override
  public Outcome next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    fill();
    var first = asked.remove();
    return first.failed == null ? outcome(first) : first.failed;
  }

  /// Asks ahead, so that the engine has a next row as soon as one is done.
  private void fill() {
    while (asked.size() < 2 * options.parallel && (isRefused || values.hasNext())) {
      Object value = isRefused ? refused : values.next();
      try {
        asked.add(ask(value));
        isRefused = false;
        row++;
      } catch (EngineFullException e) { // other tasks ask, too
        refused = value;
        isRefused = true;
        if (!asked.isEmpty()) {
          return;
        }
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(10);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private Asked ask(Object value) {
    if (value == null) {
      return new Asked(null, null, Outcome.failed("there is nothing: the value is null"));
    }
    try {
      long seed = options.seed(partition, row);
      if (task == Task.COMPLETE) {
        int[] tokens = model.llm().tokenizer().encode((String) value);
        return new Asked(
            model.engine().submit(options.request(tokens, seed).constraint(constraint)),
            new ChatAnswer(),
            null);
      }
      var prompt = model.prompt(ChatPrompt.Question.of(Conversations.of(value, options.system)));
      var request = prompt.constrained(options.request(prompt.tokens(), seed), constraint);
      return new Asked(model.engine().submit(request), new ChatAnswer(prompt), null);
    } catch (IllegalArgumentException e) {
      return new Asked(null, null, Outcome.failed(e));
    }
  }

  private static Outcome outcome(Asked one) {
    try {
      var usage = one.answer.read(one.handle, part -> {}).usage();
      return new Outcome(one.answer.content(), null, usage.promptTokens(), usage.answerTokens());
    } catch (IllegalArgumentException e) { // such as a schema that the vocabulary cannot write
      return Outcome.failed(e);
    } catch (InterruptedException e) {
      throw interrupted();
    }
  }

  private static CancellationException interrupted() {
    Thread.currentThread().interrupt();
    return new CancellationException("the task was interrupted");
  }

  /// Ends what nobody waits for any more.
  @Override
  public void close() {
    for (var one : asked) {
      if (one.handle != null) {
        one.handle.cancel();
      }
    }
  }
}
