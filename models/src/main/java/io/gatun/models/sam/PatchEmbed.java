package io.gatun.models.sam;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Makes a token of each patch of an image: a convolution whose kernels meet every pixel once,
/// hence a linear layer of the patches' pixels.
final class PatchEmbed {
  private static final int COLOURS = 3;

  private final LinearWeight proj;
  private final int patch;
  private final int grid;

  PatchEmbed(Weights weights, SamConfig config) {
    patch = config.patchSize();
    grid = config.grid();
    long d = config.embedDim();
    long pixels = (long) COLOURS * patch * patch;
    proj =
        LinearWeight.of(
            weights.tensor("proj.weight", d, COLOURS, patch, patch).reshape(d, pixels),
            weights.tensor("proj.bias", d));
  }

  /// The tokens (1, G, G, D) of an image (1, imgSize, imgSize, 3) F32.
  Tensor forward(Functional f, Tensor image, Epilogue epilogue) {
    return f.linear(f.cast(patches(f, image)), proj, epilogue);
  }

  /// The pixels of each patch, by colours, rows and columns, as the weight has them: (1, G, G, K)
  /// F32.
  private Tensor patches(Functional f, Tensor image) {
    var out = f.ops().empty(1, grid, grid, proj.inFeatures());
    f.ops()
        .workers()
        .forEach(
            (long) grid * grid,
            grid,
            (worker, from, to) -> {
              for (long i = from; i < to; i++) {
                copy(image.segment(), i, out.segment());
              }
            });
    return out;
  }

  private void copy(MemorySegment image, long i, MemorySegment patches) {
    long row = (long) grid * patch * COLOURS;
    long corner = i / grid * patch * row + i % grid * patch * COLOURS;
    long to = i * patch * patch * COLOURS;
    for (int c = 0; c < COLOURS; c++) {
      for (int y = 0; y < patch; y++) {
        long from = corner + y * row + c;
        for (int x = 0; x < patch; x++) {
          float value = image.getAtIndex(ValueLayout.JAVA_FLOAT, from + x * COLOURS);
          patches.setAtIndex(ValueLayout.JAVA_FLOAT, to++, value);
        }
      }
    }
  }

  /// Of the product in one [#forward].
  long flops() {
    return 2L * grid * grid * proj.inFeatures() * proj.outFeatures();
  }
}
