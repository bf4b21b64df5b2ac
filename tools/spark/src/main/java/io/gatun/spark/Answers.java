package io.gatun.spark;

import io.gatun.models.chat.ChatAnswer;
import io.gatun.models.chat.ChatEngine;
import io.gatun.models.chat.ChatPrompt;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.EngineFullException;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Request;
import io.gatun.models.sampling.SamplingOptions;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
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
      var constraint = options.schema == null ? null : Constraint.jsonSchema(options.schema);
      if (task == Task.COMPLETE) {
        int[] tokens = model.llm().tokenizer().encode((String) value);
        return new Asked(
            model.engine().submit(request(tokens).constraint(constraint)), new ChatAnswer(), null);
      }
      var prompt = model.prompt(ChatPrompt.Question.of(Conversations.of(value, options.system)));
      var request = prompt.constrained(request(prompt.tokens()), constraint);
      return new Asked(model.engine().submit(request), new ChatAnswer(prompt), null);
    } catch (IllegalArgumentException e) {
      return new Asked(null, null, Outcome.failed(e));
    }
  }

  private Request request(int[] tokens) {
    var s =
        SamplingOptions.DEFAULT
            .withTemperature((float) options.temperature)
            .withSeed(options.seed(partition, row));
    if (options.topP != null) {
      s = s.withTopP(options.topP.floatValue());
    }
    if (options.topK != null) {
      s = s.withTopK(options.topK);
    }
    if (options.minP != null) {
      s = s.withMinP(options.minP.floatValue());
    }
    return Request.of(tokens).sampling(s).maxTokens(options.maxTokens).stop(List.of(options.stop));
  }

  private static Outcome outcome(Asked one) {
    try {
      var handle = one.handle;
      for (Piece piece = handle.next(); piece != null; piece = handle.next()) {
        one.answer.take(piece);
      }
      var result = handle.await();
      one.answer.finish(result);
      var usage = result.usage();
      return new Outcome(one.answer.content(), null, usage.promptTokens(), usage.answerTokens());
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
