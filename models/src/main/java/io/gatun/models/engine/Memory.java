package io.gatun.models.engine;

import io.gatun.tensor.sequence.CacheLayout;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;

/// What the model keeps of running answers and of prefixes. For one thread.
final class Memory implements AutoCloseable {
  private static final int PAGE = CacheLayout.PAGE;

  /// Where prompts are cut that must always be cut alike.
  static final int FIXED_CHUNK = 2 * PAGE;

  private final EngineOptions options;
  private final CacheLayout layout;
  private final KvPool pool;
  private final PrefixCache cache;
  private final int contextLimit;

  Memory(CacheLayout layout, int context, EngineOptions options) {
    this.layout = layout;
    this.options = options;
    contextLimit = contextLimit(layout, options, context);
    pool = new KvPool(options.memory);
    cache = new PrefixCache(layout, options.batchInvariant ? FIXED_CHUNK : PAGE);
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

  /// The most tokens of one sequence.
  int contextLimit() {
    return contextLimit;
  }

  private boolean caches(Task task) {
    return options.prefixCache && task.request().cache();
  }

  /// The tokens of a task that are there already.
  int held(Task task) {
    return caches(task) && !task.isJudged() ? cache.match(task.tokens(), task.length()) : 0;
  }

  /// Whether there is room for what it has to read, if prefixes that nobody uses are forgotten.
  boolean fits(Task task) {
    long needed =
        (Math.ceilDiv(task.length() - held(task), PAGE) + 1L) * layout.pageBytes()
            + layout.recurrentBytes();
    long free = pool.budget() - pool.used();
    return needed <= free || needed <= free + cache.evictable() * layout.pageBytes();
  }

  /// Gives a task its place.
  ///
  /// @throws KvPool.Exhausted if there is no room for it
  void start(Task task) {
    var sequence = new Sequence(pool, layout, contextLimit);
    try {
      boolean adopts = caches(task) && !task.isJudged();
      task.start(sequence, adopts ? cache.adopt(sequence, task.tokens(), task.length()) : 0);
    } catch (KvPool.Exhausted e) {
      sequence.close();
      throw e;
    }
  }

  /// Makes room for so many more tokens, if need be by forgetting prefixes.
  ///
  /// @throws KvPool.Exhausted if there is none
  void reserve(Task task, int count) {
    while (true) {
      try {
        task.sequence().reserve(count);
        return;
      } catch (KvPool.Exhausted e) {
        if (!cache.evict()) {
          throw e;
        }
      }
    }
  }

  /// Forgets a prefix that nobody uses.
  ///
  /// @return whether there was one
  boolean evict() {
    return cache.evict();
  }

  /// Puts what a sequence holds into the cache of prefixes.
  void keep(Task task) {
    var sequence = task.sequence();
    if (sequence != null && caches(task)) {
      int length = Math.min(sequence.length(), task.length());
      // What was written was not computed as a prompt is.
      int most = options.batchInvariant ? task.promptLength() : length;
      cache.insert(sequence, task.tokens(), Math.min(length, most));
    }
  }

  /// Keeps states at the borders of pages, to which a sequence can go back.
  void save(Task task) {
    int length = task.sequence().length();
    if (length % PAGE == 0) {
      task.sequence().save();
      if (layout.firstPage(length) > 0) {
        keep(task); // before its pages leave the window
      }
    }
  }

  /// How many of the next rows of a prompt are read, of `count` at the most.
  int cut(Task task, int count) {
    int at = task.sequence().length();
    if (options.batchInvariant) {
      // Always cut at the same positions. What was written is read again as it was: one at a time.
      return at >= task.promptLength()
          ? 1
          : Math.min(FIXED_CHUNK - at % FIXED_CHUNK, task.promptLength() - at);
    }
    // With recurrent states, and where pages leave a window, a chunk ends at the last border of
    // pages: what is kept there is of use to others.
    int border = (task.length() - 1) / PAGE * PAGE;
    boolean passes = layout.recurrentBytes() > 0 || layout.firstPage(border) > 0;
    return passes && at < border && at + count > border ? border - at : count;
  }

  /// Whether a sequence can read so many tokens after the next one and then forget them: the states
  /// before are there to be saved, and no page leaves the window meanwhile.
  boolean canForget(Task task, int count) {
    int length = task.length();
    return layout.firstPage(length) == layout.firstPage(length + count);
  }

  long budget() {
    return pool.budget();
  }

  long used() {
    return pool.used();
  }

  long prefixBytes() {
    return cache.pages() * layout.pageBytes();
  }

  @Override
  public void close() {
    cache.close();
    pool.close();
  }
}
