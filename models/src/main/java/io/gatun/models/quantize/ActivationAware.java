package io.gatun.models.quantize;

import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.ProductObserver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/// Activation-aware quantization (Lin et al. 2023, "AWQ"): columns of weights whose inputs are
/// great are scaled up before they are rounded, and the inputs down, so that less is lost of what
/// matters most. Layers with one input share its scales, the mean magnitude of each column to a
/// power; which power is tried out, and so is how much of each group's range is cut off.
///
/// The inputs are scaled where they come from, in the norm or the matrix before, which is found by
/// trying: a source is taken if with it the layer computes what it did. Inputs of which there is
/// none, as behind a norm that a router reads too, or in an attention whose queries share keys and
/// values, have no scales.
public final class ActivationAware implements CalibratedRounding {
  /// Powers that are tried.
  private static final int POWERS = 20;

  /// Tokens that sources are tried out with.
  private static final int PROBE = 32;

  /// The most that rounding F32 differently makes of a layer's results, in parts of them.
  private static final double ROUNDING = 1e-4;

  /// The most bytes of what is known of inputs at a time: beyond, texts go through a layer again.
  private static final long INPUTS = 512L << 20;

  /// Weights that are rounded at a time.
  private static final long SLAB = 4 << 20;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Decoder original;
  private final Ops ops;
  private final Ops exact;
  private final Map<String, Tensor> tensors;
  private final TreeMap<Long, Target> targets = new TreeMap<>();
  private final Arena arena = Arena.ofShared();
  private final TextStream stream;

  /// The sources of inputs, by the kind of matrix: layers are alike.
  private final Map<String, Folding.Source> known = new HashMap<>();

  /// @param original the model as it is
  /// @param tensors its vectors and matrices
  /// @param ops what texts go through it with
  /// @param exact what the rest is computed with: as exact as F32
  /// @param samples tokens of texts, of which as many are read as there is memory for
  /// @param all matrices to be quantized; those that no layer multiplies with are left alone
  public ActivationAware(
      Decoder original,
      Map<String, Tensor> tensors,
      Ops ops,
      Ops exact,
      List<int[]> samples,
      Collection<Target> all) {
    this.original = original;
    this.tensors = tensors;
    this.ops = ops;
    this.exact = exact;
    all.forEach(target -> targets.put(target.address(), target));
    stream = new TextStream(original, ops, samples, arena);
  }

  /// Matrices with one input.
  private static final class Inputs implements AutoCloseable {
    private final List<Target> of;

    /// Sums over the texts; null when what follows is made of it.
    private LayerInputs sums;

    private final double[] magnitudes;

    /// H of each group of columns that has one scale, by their size.
    private final Map<Integer, float[][]> blocks = new HashMap<>();

    Inputs(List<Target> of, int columns) {
      this.of = of;
      sums = new LayerInputs(columns);
      magnitudes = new double[columns];
    }

    void add(Ops exact, Tensor x) {
      sums.add(exact, x, null, null);
      for (long i = 0; i < x.size(); i++) {
        magnitudes[(int) (i % magnitudes.length)] += Math.abs(x.segment().getAtIndex(FLOAT, i));
      }
    }

    /// The mean magnitudes to a power, about 1.
    float[] scales(double power) {
      double mean = Arrays.stream(magnitudes).average().orElseThrow();
      var scales =
          Arrays.stream(magnitudes)
              .map(m -> Math.max(Math.pow(mean == 0 ? 1 : m / mean, power), 1e-4))
              .toArray();
      double least = Arrays.stream(scales).min().orElseThrow();
      double greatest = Arrays.stream(scales).max().orElseThrow();
      var found = new float[scales.length];
      for (int k = 0; k < found.length; k++) {
        found[k] = (float) (scales[k] / Math.sqrt(least * greatest));
      }
      return found;
    }

    @Override
    public void close() {
      for (var target : of) {
        blocks.computeIfAbsent(target.type().groupSize(), sums::blocks);
      }
      sums.close();
      sums = null;
    }
  }

  @Override
  public Map<String, Tensor> quantize(
      int layer, Function<Map<String, Tensor>, Decoder> with, Arena out) {
    var folding = new Folding(exact.workers(), tensors);
    var all = search(layer, with, folding);
    var done = folding.vectors(out);
    for (var inputs : all) {
      for (var target : inputs.of) {
        done.put(target.name(), round(target, inputs, folding, out));
      }
    }
    return done;
  }

  /// The vectors and matrices of a layer with scales, not rounded: the model with them computes
  /// what it did.
  ///
  /// @param with as in [#quantize]
  public Map<String, Tensor> scaled(
      int layer, Function<Map<String, Tensor>, Decoder> with, Arena out) {
    var folding = new Folding(exact.workers(), tensors);
    search(layer, with, folding);
    return folding.all(out);
  }

  @Override
  public void advance(Decoder quantized, int layer) {
    stream.advance(ops, original, layer);
  }

  /// Finds the scales of a layer's inputs.
  private Collection<Inputs> search(
      int layer, Function<Map<String, Tensor>, Decoder> with, Folding folding) {
    var found = new LinkedHashMap<Target, Inputs>();
    boolean again = true;
    while (again) {
      var observer = new Observer(found);
      try (var own = ops.observed(observer)) {
        for (int i = 0; i < stream.texts(); i++) {
          try (var memory = Arena.ofShared()) {
            TextStream.run(own, original, layer, stream.ids(i), stream.rows(i).copy(memory));
          }
        }
      }
      for (var inputs : found.values()) {
        if (inputs.sums != null) {
          try (inputs) {
            scale(inputs, layer, with, folding);
          }
        }
      }
      again = observer.someLeft;
    }
    return found.values();
  }

  /// Sums up inputs, of as many matrices as there is memory for.
  private final class Observer implements ProductObserver {
    private final Map<Target, Inputs> found;
    private long bytes;
    private boolean someLeft;

    Observer(Map<Target, Inputs> found) {
      this.found = found;
    }

    @Override
    public void products(Tensor x, List<Tensor> weights) {
      var of =
          weights.stream()
              .map(w -> Target.of(targets, w))
              .filter(Objects::nonNull)
              .distinct()
              .toList();
      if (of.isEmpty()) {
        return;
      }
      int columns = Math.toIntExact(x.dim(1));
      var inputs = found.get(of.getFirst());
      if (inputs == null) {
        long more = LayerInputs.bytes(columns, 0);
        if (bytes > 0 && bytes + more > INPUTS) {
          someLeft = true;
          return;
        }
        bytes += more;
        inputs = new Inputs(of, columns);
        found.put(of.getFirst(), inputs);
      }
      if (inputs.sums != null) {
        inputs.add(exact, x);
      }
    }
  }

  private void scale(
      Inputs inputs, int layer, Function<Map<String, Tensor>, Decoder> with, Folding folding) {
    var source = source(inputs, layer, with);
    if (source == null) {
      return;
    }
    var losses = losses(inputs);
    int best = 0;
    for (int i = 1; i < POWERS; i++) {
      best = losses[i] < losses[best] ? i : best;
    }
    var scales = inputs.scales((double) best / POWERS);
    inputs.of.forEach(target -> folding.scale(target.name(), scales));
    folding.divide(source, scales);
  }

  /// The squared errors of results by the scales' power.
  private double[] losses(Inputs inputs) {
    var losses = new double[POWERS];
    for (var target : inputs.of) {
      int size = target.type().groupSize();
      long columns = target.matrix().dim(1);
      var plain = inputs.sums.blocks(size);
      long slab = Math.max(1, SLAB / columns);
      for (long row = 0; row < target.matrix().dim(0); row += slab) {
        try (var memory = Arena.ofShared()) {
          long end = Math.min(target.matrix().dim(0), row + slab);
          var rows = target.matrix().slice(0, row, end);
          var w = RoundedMatrix.floats(exact.workers(), rows, memory);
          for (int i = 0; i < POWERS; i++) {
            var scales = inputs.scales((double) i / POWERS);
            var blocks = divided(plain, scales, size);
            try (var _ = exact.scope()) {
              var errors = exact.empty(end - row, columns);
              exact
                  .workers()
                  .forEach(
                      end - row,
                      4,
                      (worker, from, to) -> {
                        var rounding = new ClippedRounding(target.type().bits(), size);
                        var group = new float[size];
                        for (long r = from; r < to; r++) {
                          for (int k = 0; k < columns; k += size) {
                            long at = r * columns + k;
                            for (int j = 0; j < size; j++) {
                              group[j] = w.getAtIndex(FLOAT, at + j) * scales[k + j];
                            }
                            rounding.round(group, blocks[k / size], false);
                            for (int j = 0; j < size; j++) {
                              float error = group[j] - rounding.scale * rounding.integers[j];
                              errors.segment().setAtIndex(FLOAT, at + j, error / scales[k + j]);
                            }
                          }
                        }
                      });
              losses[i] += inputs.sums.loss(exact, errors);
            }
          }
        }
      }
    }
    return losses;
  }

  /// H of scaled inputs.
  private static float[][] divided(float[][] blocks, float[] scales, int size) {
    var divided = new float[blocks.length][];
    for (int g = 0; g < blocks.length; g++) {
      divided[g] = blocks[g].clone();
      for (int i = 0; i < size * size && scales != null; i++) {
        divided[g][i] /= scales[g * size + i / size] * scales[g * size + i % size];
      }
    }
    return divided;
  }

  private Tensor round(Target target, Inputs inputs, Folding folding, Arena out) {
    int size = target.type().groupSize();
    var matrix = target.matrix();
    long columns = matrix.dim(1);
    var blocks = divided(inputs.blocks.get(size), folding.scales(target.name()), size);
    try (var memory = Arena.ofShared()) {
      var w =
          folding.of(target.name(), matrix.isContiguous() ? matrix : matrix.copy(memory), memory);
      var rounded = new RoundedMatrix(target.type(), matrix.dim(0), columns, memory);
      exact
          .workers()
          .forEach(
              matrix.dim(0),
              4,
              (worker, from, to) -> {
                var rounding = new ClippedRounding(target.type().bits(), size);
                var group = new float[size];
                for (long r = from; r < to; r++) {
                  for (int g = 0; g < blocks.length; g++) {
                    long at = (r * columns + (long) g * size) * Float.BYTES;
                    MemorySegment.copy(w.segment(), FLOAT, at, group, 0, size);
                    rounding.round(group, blocks[g], true);
                    rounded.setScale(r, g, rounding.scale);
                    for (int j = 0; j < size; j++) {
                      rounded.set(r, g * size + j, rounding.integers[j]);
                    }
                  }
                }
              });
      return rounded.tiles(exact.workers(), out);
    }
  }

  /// Where inputs can be scaled; null for nowhere.
  private Folding.Source source(
      Inputs inputs, int layer, Function<Map<String, Tensor>, Decoder> with) {
    if (!inputs.of.stream().allMatch(target -> tensors.containsKey(target.name()))) {
      return null; // parts of a stack
    }
    String name = inputs.of.getFirst().name();
    var scales = new float[inputs.magnitudes.length];
    for (int k = 0; k < scales.length; k++) {
      scales[k] = 1 << k * 37 % 5 % 3; // powers of two, which change no digits
    }
    try (var memory = Arena.ofShared()) {
      var expected = results(layer, original, memory);
      var scaled = new Folding(exact.workers(), tensors);
      inputs.of.forEach(target -> scaled.scale(target.name(), scales));
      if (difference(results(layer, with.apply(scaled.all(memory)), memory), expected)
          <= 100 * ROUNDING) {
        return null; // what these texts do not reach
      }
      for (var source : sources(name, scales.length)) {
        var both = new Folding(exact.workers(), tensors);
        inputs.of.forEach(target -> both.scale(target.name(), scales));
        both.divide(source, scales);
        if (inputs.of.stream().noneMatch(target -> target.name().equals(source.name()))
            && difference(results(layer, with.apply(both.all(memory)), memory), expected)
                <= ROUNDING) {
          known.put(Sensitivity.unit(name).replaceFirst("\\d+", "*"), source);
          return source;
        }
      }
    }
    return null;
  }

  /// Norms of a matrix's layer, and targets beside it; first what it was in another layer.
  private List<Folding.Source> sources(String name, int columns) {
    String kind = Sensitivity.unit(name).replaceFirst("\\d+", "*");
    String layer = name.replaceFirst("(?<=\\.\\d{1,9}\\.).*", "");
    String beside = name.replaceFirst("[^.]+\\.weight$", "");
    var matrices = targets.values().stream().map(Target::name).collect(Collectors.toSet());
    var found = new ArrayList<Folding.Source>();
    tensors.forEach(
        (other, tensor) -> {
          boolean isVector = tensor.shape().rank() == 1 && other.startsWith(layer);
          boolean isMatrix = matrices.contains(other) && other.startsWith(beside);
          if (other.endsWith(".weight") && tensor.dim(0) == columns && (isVector || isMatrix)) {
            found.add(new Folding.Source(other, false));
            if (isVector) {
              found.add(new Folding.Source(other, true));
            }
          }
        });
    var likely = known.get(kind);
    if (likely != null) {
      String same = likely.name().replaceFirst("(?<=\\.)\\d+(?=\\.)", number(name));
      var first = new Folding.Source(same, likely.plusOne());
      if (found.remove(first)) {
        found.addFirst(first);
      }
    }
    return found;
  }

  private static String number(String name) {
    return name.replaceFirst("^.*?\\.(\\d+)\\..*$", "$1");
  }

  /// What a layer makes of the beginning of the first text.
  private Tensor results(int layer, Decoder decoder, Arena memory) {
    int[] ids = Arrays.copyOf(stream.ids(0), Math.min(PROBE, stream.ids(0).length));
    var x = stream.rows(0).slice(0, 0, ids.length).copy(memory);
    try (var own = exact.sharing()) {
      TextStream.run(own, decoder, layer, ids, x);
    }
    return x;
  }

  /// The difference of results, in parts of what the layer has added.
  private double difference(Tensor x, Tensor expected) {
    double off = 0;
    double all = 0;
    for (long i = 0; i < expected.size(); i++) {
      double e = expected.segment().getAtIndex(FLOAT, i);
      double d = x.segment().getAtIndex(FLOAT, i) - e;
      double added = e - stream.rows(0).segment().getAtIndex(FLOAT, i);
      off += d * d;
      all += added * added;
    }
    return Math.sqrt(off / all);
  }

  @Override
  public void close() {
    arena.close();
  }
}
