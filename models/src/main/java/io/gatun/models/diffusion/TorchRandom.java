package io.gatun.models.diffusion;

/// `torch.randn(n, generator=torch.Generator().manual_seed(seed))` on a CPU: one call of it is one
/// of [#next].
///
/// The bits are those of MT19937 (Matsumoto and Nishimura 1998, with the seeding of 2002), of whose
/// seed PyTorch takes the low 32 bits. From 16 numbers on, PyTorch fills the whole with 24-bit
/// uniforms and transforms blocks of 16, whose halves are Box-Muller's two inputs; what is left
/// over makes it draw the last 16 anew. Below that it makes pairs from 53-bit uniforms and keeps
/// the second of a pair for the next call.
///
/// PyTorch computes a large call's logarithms and sines by float polynomials that differ from build
/// to build; here they are exact and rounded: the results agree to about 1e-6.
public final class TorchRandom implements NormalGenerator {
  private static final int N = 624;
  private static final int M = 397;
  private static final int BLOCK = 16;

  private final int[] state = new int[N];
  private int used = N;
  private double kept = Double.NaN;

  public TorchRandom(long seed) {
    state[0] = (int) seed;
    for (int i = 1; i < N; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
    }
  }

  @Override
  public float[] next(int n) {
    var out = new float[n];
    if (n < BLOCK) {
      for (int i = 0; i < n; i++) {
        out[i] = (float) nextOfPair();
      }
      return out;
    }
    for (int i = 0; i < n; i++) {
      out[i] = uniform24();
    }
    for (int at = 0; at + BLOCK <= n; at += BLOCK) {
      transform(out, at);
    }
    if (n % BLOCK != 0) {
      for (int i = n - BLOCK; i < n; i++) {
        out[i] = uniform24();
      }
      transform(out, n - BLOCK);
    }
    return out;
  }

  private static void transform(float[] values, int at) {
    for (int i = at; i < at + BLOCK / 2; i++) {
      float u = 1 - values[i];
      float phi = (float) (2 * Math.PI) * values[i + BLOCK / 2];
      float r = (float) StrictMath.sqrt(-2 * (float) StrictMath.log(u));
      values[i] = r * (float) StrictMath.cos(phi);
      values[i + BLOCK / 2] = r * (float) StrictMath.sin(phi);
    }
  }

  private double nextOfPair() {
    if (!Double.isNaN(kept)) {
      double second = kept;
      kept = Double.NaN;
      return second;
    }
    double phi = 2 * Math.PI * uniform53();
    double r = StrictMath.sqrt(-2 * StrictMath.log1p(-uniform53()));
    kept = r * StrictMath.sin(phi);
    return r * StrictMath.cos(phi);
  }

  private float uniform24() {
    return (bits() & 0xFFFFFF) * 0x1p-24f;
  }

  private double uniform53() {
    long high = Integer.toUnsignedLong(bits());
    long low = Integer.toUnsignedLong(bits());
    return ((high << 32 | low) & (1L << 53) - 1) * 0x1p-53;
  }

  /// The next 32 bits, tempered.
  private int bits() {
    if (used == N) {
      twist();
    }
    int y = state[used++];
    y ^= y >>> 11;
    y ^= y << 7 & 0x9D2C5680;
    y ^= y << 15 & 0xEFC60000;
    return y ^ y >>> 18;
  }

  private void twist() {
    for (int i = 0; i < N; i++) {
      int y = state[i] & 0x80000000 | state[(i + 1) % N] & 0x7FFFFFFF;
      state[i] = state[(i + M) % N] ^ y >>> 1 ^ ((y & 1) == 0 ? 0 : 0x9908B0DF);
    }
    used = 0;
  }
}
