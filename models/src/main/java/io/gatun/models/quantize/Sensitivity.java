package io.gatun.models.quantize;

import io.gatun.models.decoder.Batch;
import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.ProductObserver;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;

/// Measures by how much a model's answers change when one of its matrices is rounded: the
/// Kullback-Leibler divergence of the next tokens of texts, in nats. All experts of a layer count
/// as one matrix.
///
/// Texts go through the layers before a matrix once; each matrix asks for another run through its
/// layer and those behind it.
public final class Sensitivity implements AutoCloseable {
  /// Tokens that are read, and of one text.
  private static final int TOKENS = 2048;

  private static final int SAMPLE = 256;

  /// Rows of logits that are made at a time.
  private static final int ROWS = 64;

  private static final Pattern NUMBER = Pattern.compile("(?<=\\.)\\d+(?=\\.|$)");

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Decoder original;
  private final Ops ops;
  private final List<int[]> samples = new ArrayList<>();
  private final Arena arena = Arena.ofShared();

  /// The residual stream of all texts before the layer that is next.
  private final Tensor stream;

  /// The final hidden states.
  private final Tensor hidden;

  /// The next one.
  private int layer;

  private final TreeMap<Long, Target> targets = new TreeMap<>();
  private final Map<String, List<Target>> units = new LinkedHashMap<>();

  /// @param original the model as it is
  /// @param texts tokens; of each the first ones are read
  /// @param all matrices that may be rounded
  public Sensitivity(Decoder original, Ops ops, List<int[]> texts, Collection<Target> all) {
    this.original = original;
    this.ops = ops;
    for (var target : all) {
      targets.put(target.address(), target);
      units.computeIfAbsent(unit(target.name()), _ -> new ArrayList<>()).add(target);
    }
    int rows = 0;
    int count = Math.min(texts.size(), TOKENS / SAMPLE);
    for (int i = 0; i < count; i++) {
      int[] text = texts.get((int) ((long) i * texts.size() / count));
      int[] ids = Arrays.copyOf(text, Math.min(text.length, SAMPLE));
      samples.add(ids);
      rows += ids.length;
    }
    stream = Tensor.allocate(arena, DType.Plain.F32, rows, original.config().hiddenSize());
    long row = 0;
    for (int[] ids : samples) {
      try (var _ = ops.scope()) {
        var embedded = original.embed(ops, ids);
        stream.slice(0, row, row + ids.length).segment().copyFrom(embedded.segment());
        row += ids.length;
      }
    }
    hidden = hidden(original, 0, arena);
  }

  /// What is rounded together with a matrix: it alone, or one of all experts.
  public static String unit(String name) {
    var number = NUMBER.matcher(name);
    int layer = number.find() ? number.end() : 0;
    return name.substring(0, layer) + NUMBER.matcher(name.substring(layer)).replaceAll("*");
  }

  /// Measures the matrices of the next layer.
  ///
  /// @param with the model with these targets in place of its own
  /// @return the divergence by the names of [units][#unit]
  public Map<String, Double> next(Function<Map<String, Tensor>, Decoder> with) {
    var found = new LinkedHashMap<String, Double>();
    for (String unit : unitsOfLayer()) {
      try (var memory = Arena.ofShared()) {
        var rounded = new HashMap<String, Tensor>();
        for (var target : units.get(unit)) {
          rounded.put(target.name(), target.nearest(ops.workers(), memory));
        }
        found.put(unit, divergence(hidden(with.apply(rounded), layer, memory)));
      }
    }
    skip();
    return found;
  }

  /// Leaves the next layer out.
  public void skip() {
    run(null, original, layer, stream);
    layer++;
  }

  private Set<String> unitsOfLayer() {
    var found = new LinkedHashSet<String>();
    ProductObserver observer =
        (x, weights) -> {
          for (var weight : weights) {
            var target = Target.of(targets, weight);
            if (target != null) {
              found.add(unit(target.name()));
            }
          }
        };
    try (var memory = Arena.ofShared()) {
      run(observer, original, layer, stream.copy(memory));
    }
    return found;
  }

  /// The final hidden states if layers from `first` on are a decoder's.
  private Tensor hidden(Decoder decoder, int first, Arena memory) {
    var x = stream.copy(memory);
    for (int i = first; i < original.config().numHiddenLayers(); i++) {
      run(null, decoder, i, x);
    }
    try (var _ = ops.scope()) {
      return decoder.hidden(ops, x).copy(memory);
    }
  }

  /// Runs a layer on x (T, D), in place, with packed weights of its own.
  private void run(ProductObserver observer, Decoder decoder, int number, Tensor x) {
    var layout = decoder.layout(DType.Plain.F32);
    var sequences = new ArrayList<Sequence>();
    try (var pool = new KvPool(Long.MAX_VALUE);
        var own = observer == null ? ops.sharing() : ops.observed(observer);
        var _ = own.scope()) {
      try {
        samples.forEach(ids -> sequences.add(new Sequence(pool, layout, ids.length)));
        decoder.forward(own, number, Batch.of(sequences, samples), x);
      } finally {
        sequences.forEach(Sequence::close);
      }
    }
  }

  /// The mean divergence of next tokens from the original's.
  ///
  /// @param others final hidden states (T, D)
  private double divergence(Tensor others) {
    int rows = Math.toIntExact(hidden.dim(0));
    var sums = new double[rows];
    for (int from = 0; from < rows; from += ROWS) {
      int first = from;
      int to = Math.min(rows, from + ROWS);
      try (var _ = ops.scope()) {
        var p = original.logits(ops, hidden.slice(0, from, to));
        var q = original.logits(ops, others.slice(0, from, to));
        ops.workers()
            .forEach(
                to - from,
                1,
                (worker, lo, hi) -> {
                  for (long r = lo; r < hi; r++) {
                    sums[first + (int) r] = divergence(p, q, r);
                  }
                });
      }
    }
    return Arrays.stream(sums).sum() / rows;
  }

  private static double divergence(Tensor p, Tensor q, long row) {
    long n = p.dim(1);
    double normP = norm(p, row);
    double normQ = norm(q, row);
    double sum = 0;
    for (long v = row * n; v < (row + 1) * n; v++) {
      double a = p.segment().getAtIndex(FLOAT, v) - normP;
      double b = q.segment().getAtIndex(FLOAT, v) - normQ;
      sum += a == Double.NEGATIVE_INFINITY ? 0 : Math.exp(a) * (a - b);
    }
    return sum;
  }

  /// ln of the sum of exp.
  private static double norm(Tensor logits, long row) {
    long n = logits.dim(1);
    double max = Double.NEGATIVE_INFINITY;
    for (long v = row * n; v < (row + 1) * n; v++) {
      max = Math.max(max, logits.segment().getAtIndex(FLOAT, v));
    }
    double sum = 0;
    for (long v = row * n; v < (row + 1) * n; v++) {
      sum += Math.exp(logits.segment().getAtIndex(FLOAT, v) - max);
    }
    return max + Math.log(sum);
  }

  @Override
  public void close() {
    arena.close();
  }
}
