package io.gatun.models.sam.amg;

import io.gatun.models.sam.config.MaskGeneratorOptions;
import java.util.ArrayList;
import java.util.List;

/// Points to ask for all over an image, in 0 .. 1 of its width and height.
///
/// Source: `build_point_grid` and `build_all_layer_point_grids` in `segment_anything/utils/amg.py`.
final class PointGrids {
  private PointGrids() {}

  /// A grid for the image and each layer of parts.
  ///
  /// @throws IllegalArgumentException if a layer would have none, or one without points
  static List<double[]> of(MaskGeneratorOptions.Values options) {
    var grids = options.pointGrids();
    int layers = options.cropNLayers();
    if (grids == null) {
      return buildAllLayers(options.pointsPerSide(), layers, options.cropNPointsDownscaleFactor());
    }
    if (grids.size() <= layers) {
      throw new IllegalArgumentException(
          "pointGrids has %d grids; need %d, for the image and %d layers of parts"
              .formatted(grids.size(), layers + 1, layers));
    }
    return grids;
  }

  /// A point in the middle of each of n x n cells, x and y by turns, row by row.
  static double[] build(int perSide) {
    double offset = 1.0 / (2 * perSide);
    double step = perSide > 1 ? (1 - 2 * offset) / (perSide - 1) : 0;
    var points = new double[2 * perSide * perSide];
    for (int i = 0; i < perSide * perSide; i++) {
      points[2 * i] = offset + i % perSide * step;
      points[2 * i + 1] = offset + i / perSide * step;
    }
    return points;
  }

  /// A grid for the image and for each layer of crops, every one `scale` times coarser.
  ///
  /// @throws IllegalArgumentException if a layer would have no points
  static List<double[]> buildAllLayers(int perSide, int layers, int scale) {
    var grids = new ArrayList<double[]>();
    for (int i = 0; i <= layers; i++) {
      int n = (int) (perSide / Math.pow(scale, i));
      if (n < 1) {
        throw new IllegalArgumentException(
            ("layer %d of the crops has no points: pointsPerSide %d over"
                    + " cropNPointsDownscaleFactor %d to the power of %d is less than 1")
                .formatted(i, perSide, scale, i));
      }
      grids.add(build(n));
    }
    return grids;
  }
}
