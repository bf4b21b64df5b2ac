package io.gatun.models.diffusion;

import java.util.function.LongFunction;

/// The streams of random numbers that noise can come from.
public enum Rng {
  /// Gatun's own: [Philox], the same on every machine.
  PHILOX(Philox::new),
  /// PyTorch's on a CPU: [TorchRandom], to compare with what runs there.
  TORCH(TorchRandom::new);

  private final LongFunction<NormalGenerator> generator;

  Rng(LongFunction<NormalGenerator> generator) {
    this.generator = generator;
  }

  /// A new stream of this kind.
  public NormalGenerator seeded(long seed) {
    return generator.apply(seed);
  }
}
