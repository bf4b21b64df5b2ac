package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.ViTConfig;
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

  PatchEmbed(Weights weights, ViTConfig config) {
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

  /// In arrays, which are read fast also before this is compiled.
  private void copy(MemorySegment image, long i, MemorySegment patches) {
    int columns = patch * COLOURS;
    long row = (long) grid * columns;
    long corner = i / grid * patch * row + i % grid * columns;
    var pixels = new float[columns];
    var values = new float[patch * columns];
    for (int y = 0; y < patch; y++) {
      MemorySegment.copy(image, ValueLayout.JAVA_FLOAT, 4 * (corner + y * row), pixels, 0, columns);
      for (int c = 0; c < COLOURS; c++) {
        int to = (c * patch + y) * patch;
        for (int x = 0; x < patch; x++) {
          values[to + x] = pixels[x * COLOURS + c];
        }
      }
    }
    long to = 4 * i * values.length;
    MemorySegment.copy(values, 0, patches, ValueLayout.JAVA_FLOAT, to, values.length);
  }

  /// Of the product in one [#forward].
  long flops() {
    return 2L * grid * grid * proj.inFeatures() * proj.outFeatures();
  }
}
