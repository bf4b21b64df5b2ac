package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.decoder.Batch;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sampling.Candidates;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// The answers that are being written, and the steps in which they are. For one thread.
final class Steps implements AutoCloseable {
  private static final int PAGE = CacheLayout.PAGE;

  /// Where prompts are cut that must always be cut alike.
  private static final int FIXED_CHUNK = 2 * PAGE;

  private final Llm llm;
  private final EngineOptions options;
  private final CacheLayout layout;
  private final KvPool pool;
  private final PrefixCache cache;
  private final Pace pace;
  private final Candidates scratch;
  private final Ops alike;
  private final int contextLimit;

  /// In the order in which they were admitted.
  private final List<Task> running = new ArrayList<>();

  /// What followed an answer that has ended before its prompt was read.
  private final List<Task> orphans = new ArrayList<>();

  private int turn;
  private long promptTokens;
  private long cachedTokens;
  private long answerTokens;
  private long steps;

  Steps(Llm llm, EngineOptions options) {
    this.llm = llm;
    this.options = options;
    layout = llm.layout();
    contextLimit = contextLimit(layout, options, llm.contextLimit());
    pool = new KvPool(options.memory);
    cache = new PrefixCache(layout, options.batchInvariant ? FIXED_CHUNK : PAGE);
    pace = new Pace(options.pace, options.chunk, options.parallel);
    scratch = new Candidates(llm.model().config().vocabSize());
    alike = options.batchInvariant ? llm.ops().rowsAlike() : null;
  }

  /// As many tokens as one sequence can have if it has all the memory: besides those that it sees,
  /// there must be room for a chunk, a page that is copied, and copies of recurrent states.
  private static int contextLimit(CacheLayout layout, EngineOptions options, int context) {
    long memory = options.memory - 4 * layout.recurrentBytes();
    long pages = layout.pageBytes() == 0 ? Integer.MAX_VALUE : memory / layout.pageBytes();
    int more = Math.ceilDiv(options.chunk, PAGE) + 1;
    if (Math.ceilDiv(context, PAGE) - layout.firstPage(context) + more <= pages) {
      return context;
    }
    long limit = (pages - 1) * PAGE;
    if (memory < 0 || limit < PAGE || layout.firstPage(context) > 0) {
      throw new IllegalArgumentException(
          "memory is %d bytes; need at least %d for one answer. Raise EngineOptions.memory"
              .formatted(
                  options.memory,
                  (layout.firstPage(context) > 0
                              ? Math.ceilDiv(context, PAGE) - layout.firstPage(context) + more
                              : 2)
                          * layout.pageBytes()
                      + 4 * layout.recurrentBytes()));
    }
    return (int) Math.min(context, limit);
  }

  int contextLimit() {
    return contextLimit;
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
    return running.isEmpty();
  }

  /// Ends what was cancelled or has run out of time.
  void sweep(Collection<Task> waiting) {
    for (var task : List.copyOf(running)) {
      var reason = over(task);
      if (reason != null) {
        running.remove(task);
        keep(task);
        end(task, reason);
      }
    }
    for (var task : List.copyOf(waiting)) {
      task.followers().removeIf(this::endIfOver);
      if (endIfOver(task)) {
        waiting.remove(task);
      }
    }
    running.forEach(task -> task.followers().removeIf(this::endIfOver));
    waiting.addAll(orphans);
    orphans.clear();
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

  private void end(Task task, Reason reason) {
    release(task);
    task.end(reason);
  }

  private void fail(Task task, RuntimeException cause) {
    running.remove(task);
    release(task);
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
    for (var tasks : List.of(running, waiting)) {
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
    while (!waiting.isEmpty()) {
      var task = best(waiting);
      if (task == null || places() < 1 + task.followers().size() || !hasRoom(task)) {
        return;
      }
      waiting.remove(task);
      try {
        start(task);
      } catch (KvPool.Exhausted e) {
        task.leave();
        if (running.isEmpty() && !cache.evict()) {
          fail(task, e);
        } else {
          waiting.addFirst(task);
        }
        return;
      }
    }
  }

  private int places() {
    return options.parallel - running.stream().mapToInt(task -> 1 + task.followers().size()).sum();
  }

  /// The first if it has waited long, or else the one of which the cache holds most; not one whose
  /// beginning is being read for another just now.
  private Task best(Deque<Task> waiting) {
    var first = waiting.getFirst();
    if (first.waited() > options.ageLimit.toNanos() / 1e9) {
      return first;
    }
    Task best = null;
    int most = -1;
    for (var task : waiting) {
      int held = task.request().cache() ? held(task) : 0;
      if (held > most && !(task.request().cache() && isBeingRead(task, held))) {
        most = held;
        best = task;
      }
    }
    return best;
  }

  private int held(Task task) {
    return options.prefixCache ? cache.match(task.tokens(), task.length()) : 0;
  }

  private boolean isBeingRead(Task task, int held) {
    return options.prefixCache
        && running.stream()
            .filter(Task::isReading)
            .anyMatch(
                other -> {
                  int alike =
                      Arrays.mismatch(
                          task.tokens(), 0, task.length(), other.tokens(), 0, other.length());
                  return (alike < 0 ? task.length() : alike) >= held + PAGE;
                });
  }

  /// Whether there is memory for what it has to read. Alone it may always try.
  private boolean hasRoom(Task task) {
    if (running.isEmpty()) {
      return true;
    }
    long needed =
        (Math.ceilDiv(task.length() - held(task), PAGE) + 1L) * layout.pageBytes()
            + layout.recurrentBytes();
    long free = pool.budget() - pool.used();
    return needed <= free || needed <= free + cache.evictable() * layout.pageBytes();
  }

  private void start(Task task) {
    var sequence = new Sequence(pool, layout, contextLimit);
    int held = 0;
    try {
      if (options.prefixCache && task.request().cache()) {
        held = cache.adopt(sequence, task.tokens(), task.length());
      }
    } catch (KvPool.Exhausted e) {
      sequence.close();
      throw e;
    }
    task.start(sequence, held);
    cachedTokens += held;
    running.add(task);
  }

  /// Some next tokens of an answer.
  private record Rows(Task task, int count) {
    boolean isLast() {
      return count == task.pending();
    }
  }

  /// Takes a step, if there is anything to do.
  ///
  /// @param putOff takes an answer for which there is no memory now
  boolean step(Consumer<Task> putOff) {
    var ready = running.stream().filter(task -> !task.handle().isFull()).toList();
    var writing = new ArrayList<Rows>();
    for (var task : ready) {
      if (running.contains(task) && task.pending() == 1 && reserve(task, 1, writing, putOff)) {
        writing.add(new Rows(task, 1));
      }
    }
    int answers = writing.size();
    var reading = new ArrayList<Rows>();
    int budget = options.batchInvariant ? FIXED_CHUNK : pace.tokens(answers);
    boolean limited = choose(ready, budget, writing, reading, putOff);
    if (writing.isEmpty() && reading.isEmpty()) {
      return false;
    }
    long start = System.nanoTime();
    if (options.batchInvariant) {
      run(alike, writing, putOff);
      for (var rows : reading) {
        run(isAgain(rows.task) ? alike : llm.ops(), List.of(rows), putOff);
      }
    } else {
      writing.addAll(reading);
      run(llm.ops(), writing, putOff);
    }
    int read = reading.stream().mapToInt(Rows::count).sum();
    pace.measured(answers, read, limited, (System.nanoTime() - start) / 1e9);
    promptTokens += read;
    steps++;
    return true;
  }

  /// Shares a budget of tokens out to those that read, beginning with another one in each step.
  ///
  /// @return whether there would have been more to read
  private boolean choose(
      List<Task> ready, int budget, List<Rows> writing, List<Rows> reading, Consumer<Task> putOff) {
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
      int count = options.batchInvariant ? fixed(task) : cut(task, Math.min(share, task.pending()));
      var chosen = new ArrayList<>(writing);
      chosen.addAll(reading);
      if (reserve(task, count, chosen, putOff)) {
        reading.add(new Rows(task, count));
        left -= count;
      }
      writing.removeIf(rows -> !running.contains(rows.task));
      reading.removeIf(rows -> !running.contains(rows.task));
    }
    return left <= 0;
  }

  /// The next rows of a prompt that is always cut at the same positions. What was written is read
  /// again as it was: one at a time.
  private static int fixed(Task task) {
    int at = task.sequence().length();
    return isAgain(task) ? 1 : Math.min(FIXED_CHUNK - at % FIXED_CHUNK, task.promptLength() - at);
  }

  private static boolean isAgain(Task task) {
    return task.sequence().length() >= task.promptLength();
  }

  /// With recurrent states, and where pages leave a window, a chunk ends at the last border of
  /// pages: what is kept there is of use to others.
  private int cut(Task task, int count) {
    int at = task.sequence().length();
    int border = (task.length() - 1) / PAGE * PAGE;
    boolean passes = layout.recurrentBytes() > 0 || layout.firstPage(border) > 0;
    return passes && at < border && at + count > border ? border - at : count;
  }

  /// Makes room, if need be by forgetting prefixes, and then by putting off who came last.
  ///
  /// @param chosen are not put off
  /// @return whether there is room; if not, the task itself has been put off
  private boolean reserve(Task task, int count, List<Rows> chosen, Consumer<Task> putOff) {
    while (true) {
      try {
        task.sequence().reserve(count);
        return true;
      } catch (KvPool.Exhausted e) {
        if (cache.evict()) {
          continue;
        }
        var last =
            running.reversed().stream()
                .filter(t -> t == task || chosen.stream().noneMatch(rows -> rows.task == t))
                .findFirst()
                .orElseThrow();
        if (last == task && running.size() == 1) {
          fail(task, e);
        } else {
          preempt(last, putOff);
        }
        if (last == task) {
          return false;
        }
      }
    }
  }

  private void preempt(Task task, Consumer<Task> putOff) {
    running.remove(task);
    keep(task);
    task.preempt();
    putOff.accept(task);
  }

  /// Puts what a sequence holds into the cache of prefixes.
  private void keep(Task task) {
    var sequence = task.sequence();
    if (sequence != null && options.prefixCache && task.request().cache()) {
      int length = Math.min(sequence.length(), task.length());
      // What was written was not computed as a prompt is.
      int most = options.batchInvariant ? task.promptLength() : length;
      cache.insert(sequence, task.tokens(), Math.min(length, most));
    }
  }

  /// Computes some rows, and chooses the next token of those who are done with theirs.
  private void run(Ops ops, List<Rows> rows, Consumer<Task> putOff) {
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
          fail(task, e);
        } else if (sequence.restorable(sequence.length()) == sequence.length()
            && task.pending() >= each.count) {
          sequence.truncate(sequence.length());
          run(ops, List.of(each), putOff);
        } else {
          preempt(task, putOff);
        }
      }
    }
  }

  private void forward(Ops ops, List<Rows> rows) {
    try (var _ = llm.ops().owner().turn();
        var _ = ops.scope()) {
      var all =
          Batch.of(
              rows.stream().map(r -> r.task.sequence()).toList(),
              rows.stream().map(r -> r.task.next(r.count)).toList());
      int[] last = IntStream.range(0, rows.size()).filter(i -> rows.get(i).isLast()).toArray();
      int[] wanted = Arrays.stream(last).map(i -> all.wanted()[i]).toArray();
      var batch = new Batch(all.ids(), all.positions(), all.spans(), wanted);
      var hidden = llm.model().forward(ops, batch); // (W, D)
      rows.forEach(r -> save(r.task));
      if (last.length > 0) {
        var logits = llm.model().logits(ops, hidden); // (W, V)
        for (int i = 0; i < last.length; i++) {
          choose(rows.get(last[i]).task, logits.slice(0, i, i + 1));
        }
      }
    }
  }

  private void save(Task task) {
    int length = task.sequence().length();
    if (length % PAGE == 0) {
      task.sequence().save();
      if (layout.firstPage(length) > 0) {
        keep(task); // before its pages leave the window
      }
    }
  }

  /// Chooses the next token of an answer and, where its prompt has just been read, of those that
  /// follow it.
  private void choose(Task task, Tensor logits) {
    var followers = group(task);
    if (task.length() == task.promptLength()) {
      keep(task);
    }
    for (var each : followers.subList(1, followers.size())) {
      try {
        each.start(task.sequence().fork(), task.promptLength());
        running.add(each);
      } catch (KvPool.Exhausted e) {
        orphans.add(each); // it reads the prompt itself, when there is room
      }
    }
    for (var each : followers) {
      if (each.sequence() != null) {
        chooseOne(each, logits);
      }
    }
  }

  private void chooseOne(Task task, Tensor logits) {
    try {
      NotFinite.check("the logits", logits.segment(), llm.checkpoint());
      var reason = task.choose(logits.segment(), scratch, contextLimit);
      answerTokens++;
      if (reason != null) {
        running.remove(task);
        keep(task);
        end(task, reason);
      }
    } catch (RuntimeException e) {
      fail(task, e);
    }
  }

  Engine.Stats stats(int waiting) {
    return new Engine.Stats(
        running.size(), waiting, pool.used(), promptTokens, cachedTokens, answerTokens, steps);
  }

  /// All that are running, which are its own no longer.
  List<Task> abandon() {
    var all = new ArrayList<>(running);
    all.addAll(orphans);
    running.clear();
    orphans.clear();
    return all;
  }

  @Override
  public void close() {
    cache.close();
    pool.close();
    if (alike != null) {
      alike.close();
    }
  }
}
