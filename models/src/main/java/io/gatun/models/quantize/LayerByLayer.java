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
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/// Leads calibration texts through a model, one layer after the other, and quantizes each layer for
/// the inputs that it gets from those before it, which are quantized already.
///
/// In memory are the residual stream of all texts, what is known of a layer's inputs, and a layer's
/// new weights; the first two are bounded, whatever the model's size.
public final class LayerByLayer implements AutoCloseable {
  /// The most bytes of the residual stream.
  private static final long STREAM = 256L << 20;

  /// The most bytes of what is known of inputs at a time: beyond, texts go through a layer again.
  private static final long INPUTS = 1L << 30;

  private final Ops ops;
  private final Ops exact;
  private final List<int[]> samples = new ArrayList<>();
  private final Arena arena = Arena.ofShared();
  private final Tensor stream;

  /// The targets by where they begin.
  private final TreeMap<Long, Target> targets = new TreeMap<>();

  /// @param decoder the model as it is
  /// @param ops what it computes with
  /// @param exact what inputs are summed up with: as exact as F32
  /// @param samples tokens of texts, of which as many are read as there is memory for
  /// @param all matrices to be quantized; those that no layer multiplies with are left alone
  public LayerByLayer(
      Decoder decoder, Ops ops, Ops exact, List<int[]> samples, Collection<Target> all) {
    this.ops = ops;
    this.exact = exact;
    long width = decoder.config().hiddenSize();
    long rows = 0;
    for (int[] ids : samples) {
      if (this.samples.isEmpty() || (rows + ids.length) * width * Float.BYTES <= STREAM) {
        this.samples.add(ids);
        rows += ids.length;
      }
    }
    all.forEach(target -> targets.put(target.address(), target));
    stream = Tensor.allocate(arena, DType.Plain.F32, rows, width);
    long row = 0;
    for (int[] ids : this.samples) {
      try (var _ = ops.scope()) {
        rows(row, ids.length).segment().copyFrom(decoder.embed(ops, ids).segment());
        row += ids.length;
      }
    }
  }

  /// The tokens that are read.
  public long tokens() {
    return stream.dim(0);
  }

  private Tensor rows(long from, long count) {
    return stream.slice(0, from, from + count);
  }

  /// Quantizes the targets of a layer.
  ///
  /// @param decoder in which earlier layers may be quantized already, this one is not
  /// @param out where the results are
  /// @return those that texts have reached, by their names: an expert that no token has chosen is
  ///   not among them
  public Map<String, Tensor> quantize(Decoder decoder, int layer, Arena out) {
    var done = new LinkedHashMap<String, Tensor>();
    boolean again = true;
    while (again) {
      try (var inputs = new Inputs(done)) {
        run(decoder, layer, inputs, false);
        inputs.round(out);
        again = inputs.someLeft;
      }
    }
    return done;
  }

  /// Leads the texts through a layer.
  ///
  /// @param decoder in which it is quantized
  public void advance(Decoder decoder, int layer) {
    run(decoder, layer, null, true);
  }

  private void run(Decoder decoder, int layer, ProductObserver observer, boolean keep) {
    var layout = decoder.layout(DType.Plain.F32);
    try (var pool = new KvPool(Long.MAX_VALUE);
        var observed = observer == null ? ops.sharing() : ops.observed(observer)) {
      long row = 0;
      for (int[] ids : samples) {
        try (var sequence = new Sequence(pool, layout, ids.length);
            var _ = observed.scope()) {
          var x = observed.empty(ids.length, stream.dim(1));
          x.segment().copyFrom(rows(row, ids.length).segment());
          decoder.forward(observed, layer, Batch.of(sequence, ids, 0), x);
          if (keep) {
            rows(row, ids.length).segment().copyFrom(x.segment());
          }
          row += ids.length;
        }
      }
    }
  }

  /// What is known of the inputs of a layer's targets.
  private final class Inputs implements ProductObserver, AutoCloseable {
    private final Map<String, Tensor> done;
    private final Map<Target, LayerInputs> byTarget = new HashMap<>();
    private final Map<LayerInputs, List<Target>> targetsOf = new LinkedHashMap<>();
    private long bytes;
    private boolean someLeft;

    Inputs(Map<String, Tensor> done) {
      this.done = done;
    }

    @Override
    public void products(Tensor x, List<Tensor> weights) {
      var wanted = weights.stream().map(this::target).filter(Objects::nonNull).distinct().toList();
      if (wanted.isEmpty()) {
        return;
      }
      var inputs = byTarget.get(wanted.getFirst());
      if (inputs == null) {
        int columns = Math.toIntExact(x.dim(1));
        long more = LayerInputs.bytes(columns);
        if (bytes > 0 && bytes + more > INPUTS) {
          someLeft = true;
          return;
        }
        bytes += more;
        inputs = new LayerInputs(columns);
        targetsOf.put(inputs, wanted);
        for (var target : wanted) {
          byTarget.put(target, inputs);
        }
      }
      inputs.add(exact, x);
    }

    /// The target that a weight is part of; null for none, or one that is done.
    private Target target(Tensor weight) {
      var entry = targets.floorEntry(weight.segment().address());
      return entry == null
              || !entry.getValue().holds(weight)
              || done.containsKey(entry.getValue().name())
          ? null
          : entry.getValue();
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
