package io.gatun.models.unet;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;

/// What ControlNets add to a UNet, in the workspace.
///
/// @param down to what each layer on the way down hands to the way up
/// @param mid to what the middle gives
public record ControlResiduals(List<Tensor> down, Tensor mid) {
  /// The sum of two.
  public ControlResiduals plus(Functional f, ControlResiduals other) {
    var sums = new ArrayList<Tensor>();
    for (int i = 0; i < down.size(); i++) {
      sums.add(f.add(down.get(i), other.down.get(i)));
    }
    return new ControlResiduals(sums, f.add(mid, other.mid));
  }

  /// Adds them to `skips`, and returns the sum for the middle.
  ///
  /// @throws IllegalArgumentException if they are those of another architecture
  Tensor addTo(Functional f, Tensor x, List<Tensor> skips) {
    if (skips.size() != down.size()) {
      throw new IllegalArgumentException(
          "a ControlNet of %d residuals for a UNet of %d layers on the way down; it is made for another kind of model"
              .formatted(down.size(), skips.size()));
    }
    for (int i = 0; i < skips.size(); i++) {
      skips.set(i, f.add(skips.get(i), down.get(i)));
    }
    return f.add(x, mid);
  }
}
