package io.gatun.models.diffusion;

/// A stream of standard normal random numbers that a seed determines. For one thread.
public sealed interface NormalGenerator permits Philox, TorchRandom {
  /// The stream's next `n` numbers. How a stream is cut into calls is part of what they are: two
  /// calls for 8 are not one for 16.
  float[] next(int n);
}
