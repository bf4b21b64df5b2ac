package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.engine.Result.Reason;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/// Writes many answers at once, a token of each in every step, so that the weights are read once
/// for all.
///
/// ```java
/// try (var llm = Llm.load(path);
///     var engine = Engine.open(llm)) {
///   var answer = engine.submit(Request.of(llm.tokenizer().encode("Once upon a time")));
///   for (var piece = answer.next(); piece != null; piece = answer.next()) {
///     System.out.print(piece.text());
///   }
/// }
/// ```
///
/// Any thread may submit, read and cancel. A thread of the engine's own computes; it takes turns
/// with sessions of the same model, step by step. In a step each answer that is being written gets
/// its next token, and prompts are read as far as the pace of these answers allows. What was read
/// is kept for prompts that begin alike. Where memory runs out the answer that came last is put off
/// and read again later. What goes wrong with one answer ends that one alone.
public final class Engine implements AutoCloseable {
  private final EngineOptions options;
  private final Llm llm;
  private final Steps steps;
  private final Thread thread;
  private final Deque<Task> waiting = new ArrayDeque<>();
  private volatile boolean refusing;
  private volatile boolean closing;
  private volatile Stats stats;

  private Engine(Llm llm, EngineOptions options) {
    this.llm = llm;
    this.options = options;
    steps = new Steps(llm, options, this::putOff);
    stats = steps.stats(0);
    thread = Thread.ofPlatform().daemon().name("gatun-engine").unstarted(this::work);
  }

  /// An engine with the default options.
  ///
  /// @throws IllegalArgumentException as for the other `open`
  public static Engine open(Llm llm) {
    return open(llm, o -> {});
  }

  /// Opens an engine, which must be closed before the model.
  ///
  /// @throws IllegalArgumentException if its memory does not hold a single page, or the model sees
  ///   the tokens that follow (it reads whole texts, and writes none)
  /// @throws IllegalStateException if the model is closed
  public static Engine open(Llm llm, Consumer<EngineOptions> choose) {
    var options = new EngineOptions();
    choose.accept(options);
    if (llm.model().isBidirectional()) {
      throw new IllegalArgumentException(
          llm + " reads whole texts at once; an engine needs a model that writes");
    }
    var engine = new Engine(llm, options);
    engine.thread.start();
    return engine;
  }

  /// The most tokens that a prompt and its answer can have together: those of the model's context,
  /// or as many as the memory holds.
  public int contextLimit() {
    return steps.contextLimit();
  }

  /// Asks for an answer.
  ///
  /// @throws ContextExceededException if the prompt leaves no room for an answer
  /// @throws EngineFullException if too many wait
  /// @throws IllegalArgumentException if a token is not one of the model's
  /// @throws IllegalStateException if the engine is closed or drains
  public Handle submit(Request request) {
    return submit(request, 1).getFirst();
  }

  /// Asks for several answers to one prompt, which is read once. If the request has a seed, the
  /// second answer has the next one, and so on.
  ///
  /// @throws IllegalArgumentException if there are fewer than 1 answers, or more than are computed
  ///   at once, or as for the other `submit`
  public List<Handle> submit(Request request, int answers) {
    Objects.requireNonNull(request, "the request is null");
    check(request, answers);
    var handles = new ArrayList<Handle>();
    Task first = null;
    for (int i = 0; i < answers; i++) {
      var handle = new Handle(() -> LockSupport.unpark(thread));
      handles.add(handle);
      Long seed = request.sampling().seed();
      var own = seed == null ? request : request.sampling(request.sampling().withSeed(seed + i));
      var drafter = request.drafter() == null ? options.drafter : request.drafter();
      var task = new Task(llm, own, handle, contextLimit(), drafter == null ? null : drafter.get());
      if (first == null) {
        first = task;
      } else {
        first.followers().add(task);
      }
    }
    synchronized (waiting) {
      if (refusing) {
        throw new IllegalStateException("the engine is closed");
      }
      // Those for whom there is a place do not wait long.
      if (waiting.size() >= options.queue + Math.max(0, options.parallel - stats.running())) {
        throw new EngineFullException(waiting.size());
      }
      waiting.add(first);
    }
    LockSupport.unpark(thread);
    return handles;
  }

  private void check(Request request, int answers) {
    if (answers < 1 || answers > options.parallel) {
      throw new IllegalArgumentException(
          "%d answers are asked for; need 1 to %d, which are computed at once"
              .formatted(answers, options.parallel));
    }
    int[] prompt = request.prompt();
    if (prompt.length >= contextLimit()) {
      throw new ContextExceededException(prompt.length, contextLimit());
    }
    int vocabulary = llm.model().config().vocabSize();
    for (int token : prompt) {
      checkToken(token, vocabulary, "the prompt has");
    }
    for (Map.Entry<Integer, Float> bias : request.sampling().logitBias().entrySet()) {
      checkToken(bias.getKey(), vocabulary, "there is a logit bias of");
    }
  }

  private static void checkToken(int token, int vocabulary, String what) {
    if (token < 0 || token >= vocabulary) {
      throw new IllegalArgumentException(
          "%s token %d; the model has the tokens 0 to %d".formatted(what, token, vocabulary - 1));
    }
  }

  /// What it does just now, as of the last step.
  public Stats stats() {
    return stats;
  }

  /// Refuses new requests, and waits until all others have ended.
  ///
  /// @return whether they have, within that time
  /// @throws InterruptedException if the thread is interrupted
  public boolean drain(Duration atMost) throws InterruptedException {
    synchronized (waiting) {
      refusing = true;
    }
    LockSupport.unpark(thread);
    return thread.join(atMost);
  }

  /// Cancels all answers and gives back the memory; a second call does nothing.
  @Override
  public void close() {
    synchronized (waiting) {
      refusing = true;
    }
    closing = true;
    LockSupport.unpark(thread);
    boolean interrupted = false;
    while (thread.isAlive() && Thread.currentThread() != thread) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void work() {
    RuntimeException failure = null;
    try (steps) {
      while (!closing) {
        boolean worked;
        long nanos;
        synchronized (waiting) {
          steps.sweep(waiting);
          steps.admit(waiting);
          nanos = steps.nanosLeft(waiting);
          if (refusing && waiting.isEmpty() && steps.isIdle()) {
            break;
          }
        }
        worked = steps.step();
        note();
        if (!worked) {
          LockSupport.parkNanos(this, nanos);
        }
      }
    } catch (RuntimeException e) {
      failure = e;
    } finally {
      end(failure);
    }
  }

  /// Goes to the front of those who wait.
  private void putOff(Task task) {
    synchronized (waiting) {
      waiting.addFirst(task);
    }
  }

  private void note() {
    int queued;
    synchronized (waiting) {
      queued = waiting.size();
    }
    stats = steps.stats(queued);
  }

  private void end(RuntimeException failure) {
    var left = new ArrayList<>(steps.abandon());
    synchronized (waiting) {
      refusing = true;
      left.addAll(waiting);
      waiting.clear();
    }
    for (var task : left) {
      for (var each : Steps.group(task)) {
        if (failure == null) {
          each.end(Reason.CANCELLED);
        } else {
          each.fail(failure);
        }
      }
    }
    note();
  }

  @Override
  public String toString() {
    return "Engine(%s: %d running, %d waiting)".formatted(llm, stats.running(), stats.waiting());
  }
}
