package io.gatun.models.pipeline;

import io.gatun.models.unet.AddedConditions;
import io.gatun.models.unet.UNet2DConditionModel;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// A UNet, which sees the images of all conditions at once.
record UNetDenoiser(UNet2DConditionModel unet) implements Denoiser {
  @Override
  public Conditioned condition(Functional f, Wanted wanted) {
    var size = wanted.size();
    int copies = wanted.conditions().size();
    int rows = copies * size.batch();
    var first = wanted.conditions().getFirst();
    Tensor states = f.ops().empty(rows, first.tokens(), first.width());
    boolean textTime = unet.config().hasTextTime();
    Tensor pooled = textTime ? f.ops().empty(rows, first.pooled().length) : null;
    for (int row = 0; row < rows; row++) {
      var condition = wanted.conditions().get(row / size.batch());
      put(condition.states(), states, row);
      if (textTime) {
        put(condition.pooled(), pooled, row);
      }
    }
    var timeIds = new double[rows][];
    Arrays.fill(timeIds, wanted.timeIds());
    var conditioning =
        unet.condition(
            states,
            new AddedConditions(pooled, textTime ? timeIds : null, null, wanted.guidance()));
    return (latents, timestep) -> {
      try (var _ = f.scope()) {
        Tensor sample = f.ops().empty(rows, size.height(), size.width(), size.channels());
        for (int copy = 0; copy < copies; copy++) {
          put(latents, sample, copy);
        }
        return unet.forward(sample, timestep, conditioning).toFloats();
      }
    };
  }

  private static void put(float[] values, Tensor rows, int row) {
    MemorySegment.copy(
        values,
        0,
        rows.segment(),
        ValueLayout.JAVA_FLOAT,
        (long) row * values.length * Float.BYTES,
        values.length);
  }
}
