package io.gatun.models.pipeline;

import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.ControlNetModel;
import io.gatun.models.unet.ControlResiduals;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// A UNet, which sees the images of all conditions at once, and the ControlNets that steer it.
///
/// @param edits whether it is asked without the picture, too, when the prompt guides
record UNetDenoiser(UNet2DConditionModel unet, List<ControlNetModel> controlNets, boolean edits)
    implements Denoiser {
  /// One of the images that it sees at once: which condition, and whether it sees the picture.
  private record Copy(Condition condition, boolean sees) {}

  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    var size = wanted.size();
    var copies = copies(wanted.conditions());
    int rows = copies.size() * size.batch();
    var first = wanted.conditions().getFirst();
    Tensor states = f.ops().empty(rows, first.tokens(), first.width());
    boolean textTime = unet.config().hasTextTime();
    Tensor pooled = textTime ? f.ops().empty(rows, first.pooled().length) : null;
    for (int row = 0; row < rows; row++) {
      var condition = copies.get(row / size.batch()).condition;
      put(condition.states(), states, row);
      if (textTime) {
        put(condition.pooled(), pooled, row);
      }
    }
    var timeIds = new double[rows][];
    Arrays.fill(timeIds, wanted.timeIds());
    var added = new AddedConditions(pooled, textTime ? timeIds : null, null, wanted.guidance());
    var conditioning = unet.condition(f, states, added);
    var steering = new ArrayList<Steering>();
    for (var control : wanted.seen().controls()) {
      steering.add(Steering.of(f, controlNets.get(control.net()), control, size, states, added));
    }
    return (latents, now) -> {
      try (var _ = f.scope()) {
        Tensor plain = f.ops().empty(rows, size.height(), size.width(), size.channels());
        for (int copy = 0; copy < copies.size(); copy++) {
          put(latents, plain, copy);
        }
        ControlResiduals residuals = null;
        for (var each : steering) {
          if (now.isWithin(each.control().start(), each.control().end())) {
            var own = each.residuals(f, plain, now.timestep());
            residuals = residuals == null ? own : residuals.plus(f, own);
          }
        }
        var sample = withChannels(f, plain, copies, wanted);
        return unet.forward(f, sample, now.timestep(), conditioning, residuals, (name, x) -> {})
            .toFloats();
      }
    };
  }

  private List<Copy> copies(List<Condition> conditions) {
    if (!edits || conditions.size() == 1) {
      return conditions.stream().map(c -> new Copy(c, true)).toList();
    }
    var negative = conditions.getFirst();
    return List.of(
        new Copy(negative, false), new Copy(negative, true), new Copy(conditions.getLast(), true));
  }

  /// The sample with the channels behind its own that the pictures have, zeros for who sees none.
  private Tensor withChannels(Functional f, Tensor plain, List<Copy> copies, Wanted wanted) {
    float[] channels = wanted.seen().channels();
    if (channels == null) {
      return plain;
    }
    var size = wanted.size();
    int more = channels.length / (size.height() * size.width());
    Tensor behind = f.ops().empty(plain.dim(0), size.height(), size.width(), more);
    var nothing = new float[channels.length];
    for (int row = 0; row < plain.dim(0); row++) {
      put(copies.get(row / size.batch()).sees ? channels : nothing, behind, row);
    }
    return f.concat(f.cast(plain), f.cast(behind));
  }

  static void put(float[] values, Tensor rows, int row) {
    MemorySegment.copy(
        values,
        0,
        rows.segment(),
        ValueLayout.JAVA_FLOAT,
        (long) row * values.length * Float.BYTES,
        values.length);
  }
}
