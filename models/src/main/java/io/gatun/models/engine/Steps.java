package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.engine.Forward.Rows;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.sampling.Speculation;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.KvPool;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// The answers that are being written, and the steps in which they are. For one thread.
final class Steps implements AutoCloseable {
  private static final int[] NOTHING = {};

  private final Llm llm;
  private final EngineOptions options;
  private final Memory memory;
  private final Admission admission;
  private final Pace pace;
  private final Ops alike;
  private final Consumer<Task> putOff;
  private final Forward forward;
  private final Stats.Counts counts = new Stats.Counts();

  /// In the order in which they were admitted.
  private final List<Task> running = new ArrayList<>();

  /// Those whose readers are too slow, and whose places others have.
  private final List<Task> paused = new ArrayList<>();

  /// What followed an answer that has ended before its prompt was read.
  private final List<Task> orphans = new ArrayList<>();

  private int turn;

  /// When the last step ended; 0 if there was nothing to do since.
  private long ended;

  /// @param putOff takes answers for which there is no memory now
  Steps(Llm llm, EngineOptions options, Consumer<Task> putOff) {
    this.putOff = putOff;
    this.llm = llm;
    this.options = options;
    memory = new Memory(llm.layout(), llm.contextLimit(), options);
    admission = new Admission(options, memory, running);
    pace = new Pace(options.pace, options.chunk, options.parallel);
    forward = new Forward(llm, memory, new Choices(llm, this), this);
    alike = options.batchInvariant ? llm.ops().rowsAlike() : null;
  }

  int contextLimit() {
    return memory.contextLimit();
  }

  /// A task and those that follow it.
  static List<Task> group(Task task) {
    var all = new ArrayList<Task>();
    all.add(task);
    all.addAll(task.followers());
    task.followers().clear();
    return all;
  }

  boolean isIdle() {
    return running.isEmpty() && paused.isEmpty();
  }

  /// Ends what was cancelled or has run out of time.
  void sweep(Deque<Task> waiting) {
    for (var task : List.copyOf(running)) {
      var reason = over(task);
      if (reason != null) {
        finish(task, reason);
      }
    }
    for (var tasks : List.of(waiting, paused)) {
      for (var task : List.copyOf(tasks)) {
        task.followers().removeIf(this::endIfOver);
        if (endIfOver(task)) {
          tasks.remove(task);
        }
      }
    }
    running.forEach(task -> task.followers().removeIf(this::endIfOver));
    waiting.addAll(orphans);
    orphans.clear();
    for (var task : List.copyOf(paused)) {
      if (task.handle().isDrained()) {
        paused.remove(task);
        waiting.addFirst(task);
      }
    }
  }

  private boolean endIfOver(Task task) {
    var reason = over(task);
    if (reason != null) {
      end(task, reason);
    }
    return reason != null;
  }

  private static Reason over(Task task) {
    return task.handle().isCancelled()
        ? Reason.CANCELLED
        : task.nanosLeft() <= 0 ? Reason.TIMEOUT : null;
  }

  void finish(Task task, Reason reason) {
    running.remove(task);
    memory.keep(task);
    end(task, reason);
  }

  private void end(Task task, Reason reason) {
    release(task);
    counts.ended.merge(reason, 1L, Long::sum);
    task.end(reason);
  }

  void fail(Task task, RuntimeException cause) {
    running.remove(task);
    release(task);
    counts.failed++;
    task.fail(cause);
  }

  /// Lets the first of those that follow a task go on in its place.
  private void release(Task task) {
    var followers = group(task);
    if (followers.size() > 1) {
      var next = followers.get(1);
      next.followers().addAll(followers.subList(2, followers.size()));
      orphans.add(next);
    }
  }

  /// The nanoseconds until something has to end, if nothing else happens.
  long nanosLeft(Collection<Task> waiting) {
    long least = Long.MAX_VALUE;
    for (var tasks : List.of(running, paused, waiting)) {
      for (var task : tasks) {
        least = Math.min(least, task.nanosLeft());
        for (var follower : task.followers()) {
          least = Math.min(least, follower.nanosLeft());
        }
      }
    }
    return Math.max(0, least);
  }

  /// Takes in those who wait, as long as there is room.
  void admit(Deque<Task> waiting) {
    for (var task = admission.next(waiting); task != null; task = admission.next(waiting)) {
      if (!admission.fits(task)) {
        if (!pauseOne()) {
          return;
        }
        continue;
      }
      waiting.remove(task);
      try {
        memory.start(task);
        counts.cachedTokens += task.sequence().length();
        running.add(task);
      } catch (KvPool.Exhausted e) {
        if (running.isEmpty() && !memory.evict()) {
          fail(task, e);
        } else {
          waiting.addFirst(task);
        }
        return;
      }
    }
  }

  /// Takes its place from an answer whose reader does not keep up.
  private boolean pauseOne() {
    for (var task : running) {
      if (task.handle().isFull()) {
        preempt(task, paused::add);
        return true;
      }
    }
    return false;
  }

  /// Takes a step, if there is anything to do.
  boolean step() {
    long start = System.nanoTime();
    var ready = running.stream().filter(task -> !task.handle().isFull()).toList();
    var writing = write(ready);
    int answers = writing.size();
    var reading = new ArrayList<Rows>();
    int prompts = (int) ready.stream().filter(t -> running.contains(t) && t.isReading()).count();
    int budget = options.batchInvariant ? Memory.FIXED_CHUNK : pace.tokens(answers, prompts);
    read(ready, budget, writing, reading);
    if (writing.isEmpty() && reading.isEmpty()) {
      ended = 0;
      return false;
    }
    int guessed = writing.stream().mapToInt(rows -> rows.guess().length).sum();
    if (options.batchInvariant) {
      forward.run(alike, writing);
      for (var rows : reading) {
        boolean again = rows.task().sequence().length() >= rows.task().promptLength();
        forward.run(again ? alike : llm.ops(), List.of(rows));
      }
    } else {
      forward.run(llm.ops(), Stream.concat(writing.stream(), reading.stream()).toList());
    }
    int read = reading.stream().mapToInt(Rows::count).sum();
    long end = System.nanoTime();
    double took = (end - start) / 1e9;
    counts.stepSeconds += ended == 0 ? took : (end - ended) / 1e9;
    ended = end;
    if (guessed == 0) {
      pace.measured(answers, prompts, read, took);
    } else {
      judge(writing, (took - pace.seconds(answers)) / guessed, pace.seconds(answers) / answers);
    }
    counts.promptTokens += read;
    counts.steps++;
    return true;
  }

  /// A row for each answer that is being written, and as many more as were guessed. While prompts
  /// are being read nobody guesses: their rows are worth more.
  private List<Rows> write(List<Task> ready) {
    var writing = new ArrayList<Rows>();
    boolean guesses = ready.stream().noneMatch(Task::isReading);
    int answers = (int) ready.stream().filter(task -> task.pending() == 1).count();
    guesses &= pace.seconds(answers) > 0;
    for (var task : ready) {
      if (!running.contains(task) || task.pending() != 1) {
        continue;
      }
      try {
        boolean can = guesses && task.isGuessed() && memory.canForget(task, Speculation.MOST);
        int[] guess = can ? task.guess(Speculation.MOST) : NOTHING;
        if (reserve(task, 1 + guess.length, writing)) {
          if (guess.length > 0) {
            task.sequence().save();
          }
          writing.add(Rows.of(task, 1, guess));
        }
      } catch (RuntimeException e) {
        fail(task, e);
      }
    }
    return writing;
  }

  /// Tells those who guess whether it pays.
  ///
  /// @param cost seconds that a guessed token took
  /// @param worth seconds in which a token is written otherwise
  private void judge(List<Rows> writing, double cost, double worth) {
    for (var rows : writing) {
      int n = rows.guess().length;
      if (n > 0) {
        int right = Math.max(0, rows.task().length() - rows.length() - 1);
        rows.task().speculation().done(n, right, n * cost, worth);
        counts.drafted += n;
        counts.accepted += right;
      }
    }
  }

  /// Shares a budget of tokens out to those that read, beginning with another one in each step.
  private void read(List<Task> ready, int budget, List<Rows> writing, List<Rows> reading) {
    var readers = ready.stream().filter(t -> running.contains(t) && t.isReading()).toList();
    int left = budget;
    int n = readers.size();
    turn++;
    for (int i = 0; i < n && left > 0; i++) {
      var task = readers.get((turn + i) % n);
      if (!running.contains(task)) {
        continue; // put off for one before it
      }
      int share = Math.max(1, left / (n - i));
      int count = memory.cut(task, Math.min(share, task.pending()));
      var chosen = new ArrayList<>(writing);
      chosen.addAll(reading);
      if (reserve(task, count, chosen)) {
        reading.add(Rows.of(task, count));
        left -= count;
      }
      writing.removeIf(rows -> !running.contains(rows.task()));
      reading.removeIf(rows -> !running.contains(rows.task()));
    }
  }

  /// Makes room, if need be by forgetting prefixes, and then by putting off those whose readers do
  /// not keep up and who came last.
  ///
  /// @param chosen are not put off
  /// @return whether there is room; if not, the task itself has been put off
  private boolean reserve(Task task, int count, List<Rows> chosen) {
    while (true) {
      try {
        memory.reserve(task, count);
        return true;
      } catch (KvPool.Exhausted e) {
        if (pauseOne()) {
          continue;
        }
        var last =
            running.reversed().stream()
                .filter(t -> t == task || chosen.stream().noneMatch(rows -> rows.task() == t))
                .findFirst()
                .orElseThrow();
        if (last == task && running.size() == 1) {
          fail(task, e);
        } else {
          preempt(last);
        }
        if (last == task) {
          return false;
        }
      }
    }
  }

  /// Puts a task off, for want of memory.
  void preempt(Task task) {
    preempt(task, putOff);
  }

  private void preempt(Task task, Consumer<Task> to) {
    running.remove(task);
    memory.keep(task);
    task.preempt();
    counts.preemptions++;
    to.accept(task);
  }

  /// Keeps what was read where that is the whole prompt, and has those that follow the answer go on
  /// from there.
  ///
  /// @return those of them for whom there is room
  List<Task> startFollowers(Task task) {
    var all = group(task);
    if (task.length() == task.promptLength()) {
      memory.keep(task);
    }
    var started = new ArrayList<Task>();
    for (var each : all.subList(1, all.size())) {
      try {
        each.startBeside(task);
        running.add(each);
        started.add(each);
      } catch (KvPool.Exhausted e) {
        orphans.add(each); // it reads the prompt itself, when there is room
      }
    }
    return started;
  }

  Stats.Counts counts() {
    return counts;
  }

  Stats stats(int waiting) {
    return counts.snapshot(running.size(), waiting, paused.size(), memory);
  }

  /// All that are running, which are its own no longer.
  List<Task> abandon() {
    var all = new ArrayList<>(running);
    all.addAll(paused);
    all.addAll(orphans);
    running.clear();
    paused.clear();
    orphans.clear();
    return all;
  }

  @Override
  public void close() {
    memory.close();
    if (alike != null) {
      alike.close();
    }
  }
}
