package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/// Attention over the pages of sequences, page by page with a running softmax (FlashAttention, Dao
/// et al. 2022), so that no matrix of T x T scores ever exists.
///
/// The query heads that share a key/value head are stacked: their rows form one matrix (M, K), M =
/// tokens * H / G, whose products with a page are two small matrix products. The workers share the
/// key/value heads and blocks of rows. Where there is one block, as in decoding, they also share
/// the positions, and what each part of them gives is merged (Flash-Decoding, Dao et al. 2023).
/// Parts have a fixed length, so results depend neither on timing nor on the number of threads.
final class CachedAttention {
  private static final int PAGE = SequenceLayout.PAGE;

  /// Rows of the stacked matrix that one task handles at the most.
  private static final int ROWS = 256;

  /// Pages of a part, whose scores are handled together.
  private static final int PART = 4;

  /// Columns of the scores.
  private static final int SCORES = PART * PAGE;

  private final Kernels kernels;
  private final Tensor q;
  private final Span span;
  private final KvLayout kv;
  private final int position;
  private final AttentionSpec spec;
  private final int window;
  private final Tensor out;

  private final int tokens;
  private final int heads;
  private final int keyDim;
  private final int valueDim;
  private final int group;
  private final int tokensPerTask;
  private final int blocks;
  private final int parts;

  private final State state;
  private final PageProducts products;

  // A [State] for each part of each key/value head, if there are several parts, from `statesAt` on;
  // the workers' scratch lies at the end.
  private MemorySegment memory;
  private long statesAt;
  private int firstTask;

  private CachedAttention(
      Context ctx, Tensor q, Span span, int part, AttentionSpec spec, Tensor out) {
    this.kernels = ctx.kernels();
    this.q = q;
    this.span = span;
    this.position = span.position();
    this.kv = span.sequence().layout().kv(part);
    this.out = out;
    this.spec = spec;
    this.window = spec.window();
    tokens = span.rows();
    heads = Math.toIntExact(q.dim(1));
    keyDim = kv.keyDim();
    valueDim = kv.valueDim();
    group = heads / kv.heads();
    tokensPerTask = Math.max(1, Math.min(tokens, ROWS / group));
    blocks = Math.ceilDiv(tokens, tokensPerTask);
    parts = blocks == 1 ? Math.ceilDiv(lastPage(tokens) - firstPage(0), PART) : 1;
    int rows = tokensPerTask * group;
    state = new State(Math.ceilDiv(rows, StoredProduct.ROWS) * StoredProduct.ROWS, valueDim);
    products = PageProducts.of(ctx, span.sequence(), part, rows, SCORES);
  }

  /// Where in memory the softmax of some rows stands: the weighted sums of values (M, V), the
  /// greatest score so far (M) and the sum of weights relative to it (M).
  private record State(int rows, int c) {
    long bytes() {
      return 4L * rows * (c + 2) + 63 & -64;
    }

    long sum(long at, int row) {
      return at + 4L * row * c;
    }

    long max(long at) {
      return at + 4L * rows * c;
    }

    long total(long at) {
      return max(at) + 4L * rows;
    }
  }

  static Tensor apply(Context ctx, Tensor q, List<Span> spans, int part, AttentionSpec spec) {
    var kv = spans.getFirst().sequence().layout().kv(part);
    Check.f32("q", q);
    Check.rank("q", q, 3);
    Check.same("head size", q.dim(2), "head size of the cache", kv.keyDim());
    Check.same("H modulo G", q.dim(1) % kv.heads(), "needed", 0);
    Span.check(spans, part, kv, q.dim(0));
    if (spec.sinks() != null) {
      Check.f32("sinks", spec.sinks());
      Check.same("sinks", spec.sinks().size(), "heads", q.dim(1));
    }
    var out = ctx.f32(q.dim(0), q.dim(1), kv.valueDim());
    try (var _ = ctx.scope()) {
      run(ctx, spans.stream().map(s -> new CachedAttention(ctx, q, s, part, spec, out)).toList());
    }
    return out;
  }

  private static void run(Context ctx, List<CachedAttention> all) {
    long states = 0;
    long most = 0;
    int tasks = 0;
    boolean merges = false;
    for (var each : all) {
      each.statesAt = states;
      each.firstTask = tasks;
      states += each.parts > 1 ? each.parts * each.kv.heads() * each.state.bytes() : 0;
      most = Math.max(most, each.scratchBytes());
      tasks += each.blocks * each.parts * each.kv.heads();
      merges |= each.parts > 1;
    }
    long scratchAt = states;
    long scratchBytes = most;
    var memory = ctx.perWorker(states + most);
    var byTask = new CachedAttention[tasks];
    for (int i = all.size() - 1, end = tasks; i >= 0; end = all.get(i--).firstTask) {
      all.get(i).memory = memory;
      Arrays.fill(byTask, all.get(i).firstTask, end, all.get(i));
    }
    ctx.forEach(
        tasks,
        1,
        (worker, from, to) -> {
          for (int i = (int) from; i < to; i++) {
            byTask[i].task(i, scratchAt + worker * scratchBytes);
          }
        });
    if (merges) {
      int g = all.getFirst().kv.heads();
      ctx.forEach(
          (long) all.size() * g,
          1,
          (worker, from, to) -> {
            for (int i = (int) from; i < to; i++) {
              all.get(i / g).merge(i % g);
            }
          });
    }
  }

  /// Of a worker: state, queries (M, K), scores (M, SCORES), what the products need.
  private long scratchBytes() {
    return state.bytes() + 4L * state.rows * (keyDim + SCORES) + products.scratchBytes();
  }

  private void task(int index, long scratch) {
    int g = kv.heads();
    int i = index - firstTask;
    // The last block, which sees most, first, so that the workers end together.
    block(scratch, i % g, blocks - 1 - i / g / parts, i / g % parts);
  }

  /// The first page that the row of token `t` sees.
  private int firstPage(int t) {
    return window > 0 ? Math.max(0, position + t + 1 - window) / PAGE : 0;
  }

  /// The position after the last that the row of token `t` sees.
  private int limit(int t) {
    int next = position + t + 1;
    int all = position + tokens;
    return !spec.bidirectional() ? next : window > 0 ? Math.min(all, next + window - 1) : all;
  }

  /// The page after the last that the rows before that of token `t` see.
  private int lastPage(int t) {
    return Math.ceilDiv(limit(t - 1), PAGE);
  }

  private long partAt(int head, int part) {
    return statesAt + ((long) head * parts + part) * state.bytes();
  }

  /// The rows of `block` for one key/value head and part of the positions.
  private void block(long scratch, int head, int block, int part) {
    int first = block * tokensPerTask;
    int count = Math.min(tokensPerTask, tokens - first);
    int rows = count * group;
    long queries = scratch + state.bytes();
    long scores = queries + 4L * state.rows * keyDim;
    long rest = scores + 4L * state.rows * SCORES;
    long at = parts > 1 ? partAt(head, part) : scratch;
    gather(head, first, count, queries);
    begin(head, rows, at, part);
    int end = limit(first + count - 1);
    int from = firstPage(first) + part * PART;
    int to = parts > 1 ? Math.min(from + PART, lastPage(tokens)) : lastPage(first + count);
    products.prepareQueries(memory, queries, rows, rest);
    for (int page = from; page < to; page += PART) {
      int n = Math.min(Math.min(PART, to - page) * PAGE, end - page * PAGE);
      var positions = new PageProducts.Positions(head, page, n);
      products.scores(memory, queries, rows, positions, scores, rest);
      if (spec.softcap() > 0) {
        for (int m = 0; m < rows; m++) {
          long row = scores + 4L * m * SCORES;
          kernels.softcap(memory, row, spec.softcap(), n, memory, row);
        }
      }
      softmax(rows, n, page, first, scores, at, rest);
      products.sums(memory, scores, rows, positions, at, rest);
    }
    if (parts == 1) {
      scatter(head, first, count, at);
    }
  }

  /// Sums of nothing; but a sink, which has no value, is counted once.
  private void begin(int head, int rows, long at, int part) {
    memory.asSlice(at, state.bytes()).fill((byte) 0);
    boolean sinks = spec.sinks() != null && part == 0;
    for (int m = 0; m < rows; m++) {
      float max =
          sinks
              ? Floats.get(spec.sinks().segment(), 0, head * group + m % group)
              : Float.NEGATIVE_INFINITY;
      Floats.set(memory, state.max(at), m, max);
      Floats.set(memory, state.total(at), m, sinks ? 1 : 0);
    }
  }

  private void gather(int head, int first, int count, long queries) {
    for (int t = 0; t < count; t++) {
      long row = (long) (span.from() + first + t) * heads + (long) head * group;
      long n = (long) group * keyDim;
      kernels.scale(q.segment(), 4 * row * keyDim, spec.scale(), n, memory, queries + 4 * t * n);
    }
  }

  private void scatter(int head, int first, int count, long at) {
    for (int m = 0; m < count * group; m++) {
      float factor = 1 / Floats.get(memory, state.total(at), m);
      kernels.scale(
          memory, state.sum(at, m), factor, valueDim, out.segment(), outAt(head, first, m));
    }
  }

  /// Where row `m` of the block that begins with token `first` goes.
  private long outAt(int head, int first, int m) {
    long row = (long) (span.from() + first + m / group) * heads + (long) head * group + m % group;
    return 4 * row * valueDim;
  }

  /// The sums of all parts, brought onto the footing of the greatest score.
  private void merge(int head) {
    if (parts == 1) {
      return;
    }
    for (int m = 0; m < tokens * group; m++) {
      float max = Float.NEGATIVE_INFINITY;
      for (int part = 0; part < parts; part++) {
        max = Math.max(max, Floats.get(memory, state.max(partAt(head, part)), m));
      }
      float total = 0;
      for (int part = 0; part < parts; part++) {
        total +=
            factor(head, part, m, max) * Floats.get(memory, state.total(partAt(head, part)), m);
      }
      long to = outAt(head, 0, m);
      out.segment().asSlice(to, 4L * valueDim).fill((byte) 0);
      for (int part = 0; part < parts; part++) {
        float weight = factor(head, part, m, max) / total;
        kernels.addScaled(
            memory, state.sum(partAt(head, part), m), weight, valueDim, out.segment(), to);
      }
    }
  }

  /// What the weights of a part are to be multiplied by; 0 where the row sees none of it.
  private float factor(int head, int part, int m, float max) {
    return (float) Math.exp(Floats.get(memory, state.max(partAt(head, part)), m) - max);
  }

  /// Turns the scores of some pages into weights relative to each row's greatest score so far, and
  /// brings the sums of earlier pages onto the same footing.
  private void softmax(int rows, int n, int page, int first, long scores, long at, long scratch) {
    long max = state.max(at);
    long total = state.total(at);
    for (int m = 0; m < rows; m++) {
      int token = first + m / group;
      int hi = Math.clamp(limit(token) - page * PAGE, 0, n);
      long unseen = position + token + 1L - window;
      int lo = window > 0 ? Math.clamp(unseen - page * PAGE, 0, hi) : 0;
      long row = scores + 4L * m * SCORES;
      if (hi > lo) {
        float old = Floats.get(memory, max, m);
        float now = Math.max(old, kernels.max(memory, row + 4L * lo, hi - lo));
        if (now > old) {
          if (old > Float.NEGATIVE_INFINITY) {
            float factor = (float) Math.exp(old - now);
            long sum = state.sum(at, m);
            kernels.scale(memory, sum, factor, valueDim, memory, sum);
            Floats.set(memory, total, m, Floats.get(memory, total, m) * factor);
          }
          Floats.set(memory, max, m, now);
        }
      }
      float reference = Floats.get(memory, max, m);
      float sum = products.weights(memory, scores, m, lo, hi, n, reference, scratch);
      Floats.set(memory, total, m, Floats.get(memory, total, m) + sum);
    }
  }
}
