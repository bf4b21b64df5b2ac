package io.gatun.models.quantize;

import io.gatun.models.decoder.Decoder;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.ProductObserver;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Leads calibration texts through a model, one layer after the other, and quantizes each layer for
/// the inputs that it gets from what is before it, which is quantized already; and beside it
/// through the model as it was, since each layer also makes up for what those before it have lost.
///
/// In memory are the residual streams of all texts, what is known of a layer's inputs, and a
/// layer's new weights; all but the last are bounded, whatever the model's size.
public final class LayerByLayer implements CalibratedRounding {
  /// The most bytes of what is known of inputs at a time: beyond, texts go through a layer again.
  private static final long INPUTS = 512L << 20;

  /// The most bytes of one of them, if it is to say what the residual stream has lost, too.
  private static final long WITH_RESIDUAL = 768L << 20;

  /// Numbers in names, as of experts.
  private static final Pattern NUMBER = Pattern.compile("(?<=\\.)\\d+(?=\\.|$)");

  private final Decoder original;
  private final Ops ops;
  private final Ops exact;
  private final Arena arena = Arena.ofShared();

  /// The residual streams of the model as it was, and of the one whose layers are quantized.
  private final TextStream originalStream;

  private final TextStream stream;

  /// The targets by where they begin.
  private final TreeMap<Long, Target> targets = new TreeMap<>();

  /// @param original the model as it is
  /// @param ops what it computes with
  /// @param exact what inputs are summed up with: as exact as F32
  /// @param samples tokens of texts, of which as many are read as there is memory for
  /// @param all matrices to be quantized; those that no layer multiplies with are left alone
  public LayerByLayer(
      Decoder original, Ops ops, Ops exact, List<int[]> samples, Collection<Target> all) {
    this.original = original;
    this.ops = ops;
    this.exact = exact;
    all.forEach(target -> targets.put(target.address(), target));
    originalStream = new TextStream(original, ops, samples, arena);
    stream = new TextStream(original, ops, samples, arena);
  }

  /// Quantizes the targets of a layer, each kind after those that it gets its inputs from.
  @Override
  public Map<String, Tensor> quantize(
      int layer, Function<Map<String, Tensor>, Decoder> with, Arena out) {
    var done = new LinkedHashMap<String, Tensor>();
    boolean again = true;
    while (again) {
      try (var stage = new Stage(done)) {
        observe(with.apply(done), layer, stage);
        stage.round(out);
        again = stage.someLeft;
      }
    }
    return done;
  }

  @Override
  public void advance(Decoder decoder, int layer) {
    stream.advance(ops, decoder, layer);
    originalStream.advance(ops, original, layer);
  }

  /// Tells a stage what the layer's inputs are.
  private void observe(Decoder decoder, int layer, Stage stage) {
    var now = new Seen(stage, true);
    var before = new Seen(stage, false);
    try (var own = ops.observed(now);
        var originals = ops.observed(before)) {
      for (int i = 0; i < stream.texts(); i++) {
        try (var memory = Arena.ofShared()) {
          int[] ids = stream.ids(i);
          now.begin(stream.rows(i), memory);
          TextStream.run(own, decoder, layer, ids, now.residual);
          before.begin(originalStream.rows(i), memory);
          TextStream.run(originals, original, layer, ids, before.residual);
          now.inputs.forEach((inputs, all) -> add(inputs, all, before, now, memory));
        }
      }
    }
  }

  private void add(LayerInputs inputs, List<Tensor> now, Seen before, Seen after, Arena memory) {
    var then = before.inputs.getOrDefault(inputs, List.of());
    long tokens = after.residual.dim(0);
    // An expert's tokens may be others than they were.
    boolean alike =
        then.size() == now.size()
            && Stream.concat(now.stream(), then.stream()).allMatch(x -> x.dim(0) == tokens);
    var a = before.residuals.get(inputs);
    var b = after.residuals.get(inputs);
    boolean isAdded = alike && a != null && b != null;
    var residual = isAdded ? LayerInputs.difference(exact, a, b, memory) : null;
    for (int i = 0; i < now.size(); i++) {
      inputs.add(exact, now.get(i), alike ? then.get(i) : null, residual);
    }
  }

  /// What one text shows of a stage's inputs.
  private final class Seen implements ProductObserver {
    private final Stage stage;
    private final boolean isQuantized;

    private final Map<LayerInputs, List<Tensor>> inputs = new LinkedHashMap<>();

    /// The residual stream before a layer's result is added to it.
    private final Map<LayerInputs, Tensor> residuals = new HashMap<>();

    private Arena memory;

    /// The residual stream (T, D).
    private Tensor residual;

    /// The last inputs, if they have one weight only; and that.
    private LayerInputs last;

    private Tensor lastWeight;

    Seen(Stage stage, boolean isQuantized) {
      this.stage = stage;
      this.isQuantized = isQuantized;
    }

    /// @param x the residual stream of the next text, which stays as it is
    /// @param copies where what is seen is kept
    void begin(Tensor x, Arena copies) {
      inputs.clear();
      residuals.clear();
      last = null;
      memory = copies;
      residual = x.copy(copies);
    }

    @Override
    public void products(Tensor x, List<Tensor> weights) {
      last = null;
      var own = stage.inputs(x, weights, isQuantized);
      if (own != null) {
        inputs.computeIfAbsent(own, _ -> new ArrayList<>()).add(x.copy(memory));
        last = weights.size() == 1 ? own : null;
        lastWeight = weights.getFirst();
      }
    }

    @Override
    public void sum(Tensor x, Tensor y) {
      if (last != null
          && LayerInputs.bytes((int) lastWeight.dim(1), x.dim(1)) <= WITH_RESIDUAL
          && x.segment().address() == residual.segment().address()
          && isProduct(inputs.get(last).getLast(), lastWeight, y)) {
        residuals.put(last, x.copy(memory));
      }
      last = null;
    }

    /// Whether y is the product of both and nothing else, as its first row shows.
    private boolean isProduct(Tensor x, Tensor weight, Tensor y) {
      if (x.dim(0) != y.dim(0) || weight.dim(0) != y.dim(1)) {
        return false;
      }
      try (var _ = exact.scope()) {
        var product = exact.linear(x.slice(0, 0, 1), weight);
        double off = 0;
        double all = 0;
        for (long i = 0; i < y.dim(1); i++) {
          float p = product.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
          float difference = y.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i) - p;
          off += difference * difference;
          all += p * p;
        }
        return off <= 0.01 * all;
      }
    }
  }

  /// Targets of one kind, which do not depend on each other, and what is known of their inputs.
  private final class Stage implements AutoCloseable {
    private final Map<String, Tensor> done;
    private final Map<Target, LayerInputs> byTarget = new HashMap<>();
    private final Map<LayerInputs, List<Target>> targetsOf = new LinkedHashMap<>();
    private String kind;
    private long bytes;
    private boolean someLeft;

    Stage(Map<String, Tensor> done) {
      this.done = done;
    }

    /// What is known of x, if it is an input of this stage's targets; else null.
    ///
    /// @param isNew whether targets that were not seen yet may become part of this stage
    LayerInputs inputs(Tensor x, List<Tensor> weights, boolean isNew) {
      var wanted = weights.stream().map(this::target).filter(Objects::nonNull).distinct().toList();
      var first = wanted.isEmpty() ? null : wanted.getFirst();
      if (first == null || byTarget.containsKey(first) || !isNew) {
        return byTarget.get(first);
      }
      String name = NUMBER.matcher(first.name()).replaceAll("*");
      int columns = Math.toIntExact(x.dim(1));
      long width = original.config().hiddenSize();
      boolean mayAdd = weights.size() == 1 && weights.getFirst().dim(0) == width;
      long more = LayerInputs.bytes(columns, mayAdd ? width : 0);
      if (kind != null && (!kind.equals(name) || bytes + more > INPUTS)) {
        someLeft = true;
        return null;
      }
      kind = name;
      bytes += more;
      var inputs = new LayerInputs(columns);
      targetsOf.put(inputs, wanted);
      wanted.forEach(target -> byTarget.put(target, inputs));
      return inputs;
    }

    /// The target that a weight is part of; null for none, or one that is done.
    private Target target(Tensor weight) {
      var target = Target.of(targets, weight);
      return target == null || done.containsKey(target.name()) ? null : target;
    }

    void round(Arena out) {
      targetsOf.forEach(
          (inputs, all) -> {
            var byType = new LinkedHashMap<DType.Tiled, List<Target>>();
            for (var target : all) {
              byType.computeIfAbsent(target.type(), _ -> new ArrayList<>()).add(target);
            }
            byType.forEach(
                (type, same) -> {
                  try (var copies = Arena.ofShared()) {
                    var matrices =
                        same.stream()
                            .map(Target::matrix)
                            .map(m -> m.isContiguous() ? m : m.copy(copies))
                            .toList();
                    var rounded = inputs.round(exact, matrices, type, out);
                    for (int i = 0; i < rounded.size(); i++) {
                      done.put(same.get(i).name(), rounded.get(i));
                    }
                  }
                });
          });
    }

    @Override
    public void close() {
      targetsOf.keySet().forEach(LayerInputs::close);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
