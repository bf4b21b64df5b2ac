package io.gatun.models.sam;

/// Along one side of an image, how its pixels come from low-resolution ones: up to the model's
/// square input by bilinear interpolation, cut to the part that the image filled, and from there to
/// the image by bilinear interpolation again.
///
/// Both steps together make each pixel a mean of at most three neighbours, so the picture between
/// them need not be made.
///
/// Source: `postprocess_masks` in `segment_anything/modeling/sam.py`; PyTorch's
/// `upsample_bilinear2d` with `align_corners=False`.
///
/// @param size the image's pixels
/// @param first (size) the first low-resolution pixel of each
/// @param weights (size, 3) of that one and the two behind it; what lies outside weighs 0
record Upscaling(int size, int[] first, float[] weights) {
  static final int TAPS = 3;

  /// @param low the low-resolution pixels along the model's input
  /// @param square the model's input
  /// @param filled the part of it that the image filled
  /// @param size the image's pixels
  /// @throws IllegalArgumentException if the low resolution is not the lowest of all
  static Upscaling of(int low, int square, int filled, int size) {
    if (low < 1 || square < low || filled > square || filled < 1) {
      throw new IllegalArgumentException(
          "masks of %d pixels for an input of %d, %d of them an image"
              .formatted(low, square, filled));
    }
    var first = new int[size];
    var weights = new float[size * TAPS];
    for (int i = 0; i < size; i++) {
      float outer = source(i, filled, size);
      int a = Math.min((int) outer, filled - 1);
      int b = Math.min(a + 1, filled - 1);
      float share = Math.min(outer - a, 1);
      first[i] = Math.min((int) source(a, low, square), low - 1);
      add(weights, i, first[i], a, low, square, 1 - share);
      add(weights, i, first[i], b, low, square, share);
    }
    return new Upscaling(size, first, weights);
  }

  /// Adds `share` of pixel `j` of the square to pixel `i`.
  private static void add(
      float[] weights, int i, int first, int j, int low, int square, float share) {
    float inner = source(j, low, square);
    int a = Math.min((int) inner, low - 1);
    int b = Math.min(a + 1, low - 1);
    float lambda = Math.min(inner - a, 1);
    weights[i * TAPS + a - first] += share * (1 - lambda);
    weights[i * TAPS + b - first] += share * lambda;
  }

  /// Where pixel `i` of `to` lies among `from`.
  private static float source(int i, int from, int to) {
    return Math.max(0, (float) from / to * (i + 0.5f) - 0.5f);
  }
}
