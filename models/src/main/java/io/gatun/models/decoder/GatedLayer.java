package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import java.util.List;

/// A feed-forward layer with a gate (Shazeer 2020), by itself or as an expert of a mixture.
public interface GatedLayer extends FeedForward {
  /// (F, D).
  Linear gate();

  /// (F, D); null where its rows alternate with the gate's.
  Linear up();

  /// (D, F).
  Linear down();

  /// Whether [#join] is `silu(g) u`, which products can end with.
  boolean isSilu();

  /// What the gate g (T, F) lets through of u (T, F); or, where rows alternate, of g (T, 2 F), u
  /// being null. Both may be overwritten.
  Tensor join(Ops ops, Tensor g, Tensor u);

  /// join(x Wgate, x Wup) Wdown
  @Override
  default Tensor forward(Ops ops, Activations x) {
    return forward(ops, List.of(x), List.of(this))[0];
  }

  /// Several layers, each of an input of its own, in one go.
  static Tensor[] forward(Ops ops, List<Activations> x, List<? extends GatedLayer> layers) {
    var inner = new ArrayList<Activations>();
    for (var h : hidden(ops, x, layers)) {
      inner.add(ops.activations(h));
    }
    return Linear.forward(ops, inner, layers.stream().map(GatedLayer::down).toList());
  }

  private static Tensor[] hidden(Ops ops, List<Activations> x, List<? extends GatedLayer> layers) {
    var gates = layers.stream().map(GatedLayer::gate).toList();
    if (layers.getFirst().up() == null) {
      var both = Linear.forward(ops, x, gates);
      for (int i = 0; i < both.length; i++) {
        both[i] = layers.get(i).join(ops, both[i], null);
      }
      return both;
    }
    var ups = layers.stream().map(GatedLayer::up).toList();
    if (layers.stream().allMatch(GatedLayer::isSilu)) {
      return ops.gatedLinears(x, Linear.weights(gates), Linear.weights(ups));
    }
    var inputs = new ArrayList<>(x);
    inputs.addAll(x);
    var all = new ArrayList<>(gates);
    all.addAll(ups);
    var both = Linear.forward(ops, inputs, all);
    var hidden = new Tensor[layers.size()];
    for (int i = 0; i < hidden.length; i++) {
      hidden[i] = layers.get(i).join(ops, both[i], both[hidden.length + i]);
    }
    return hidden;
  }
}
