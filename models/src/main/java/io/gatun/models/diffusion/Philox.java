package io.gatun.models.diffusion;

/// Normal random numbers from Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy
/// as 1, 2, 3", SC11, section 3.3) and the Box-Muller transform.
///
/// The stream is a function of the seed, of how many calls to [#next] came before, and of a
/// number's place in its call, so that any implementation can give the same:
///
/// * the key is the seed: its low 32 bits, then its high ones;
/// * the counter's four words are: the low and the high half of b, the low and the high half of c,
///   for the numbers 4b to 4b + 3 of call c, both counted from 0;
/// * the block's words w0 to w3 make two pairs: `r = sqrt(-2 ln((w0 + 1) / 2^32))`, `phi = 2 pi w1
///   / 2^32`, the numbers `r cos(phi)` and `r sin(phi)`, and likewise w2 and w3;
/// * arithmetic is in doubles, with the correctly specified functions of [StrictMath], rounded to
///   float at the end.
public final class Philox implements NormalGenerator {
  private static final double UNIT = 0x1p-32;

  private final int[] key;
  private long calls;

  public Philox(long seed) {
    key = new int[] {(int) seed, (int) (seed >>> 32)};
  }

  @Override
  public float[] next(int n) {
    var out = new float[n];
    for (int i = 0; i < n; i += 4) {
      int[] w = block(new int[] {i >>> 2, 0, (int) calls, (int) (calls >>> 32)}, key);
      pair(w[0], w[1], out, i);
      pair(w[2], w[3], out, i + 2);
    }
    calls++;
    return out;
  }

  private static void pair(int w0, int w1, float[] out, int at) {
    double r = StrictMath.sqrt(-2 * StrictMath.log((Integer.toUnsignedLong(w0) + 1) * UNIT));
    double phi = 2 * StrictMath.PI * (Integer.toUnsignedLong(w1) * UNIT);
    if (at < out.length) {
      out[at] = (float) (r * StrictMath.cos(phi));
    }
    if (at + 1 < out.length) {
      out[at + 1] = (float) (r * StrictMath.sin(phi));
    }
  }

  /// The four words of a counter (four words) under a key (two words).
  public static int[] block(int[] counter, int[] key) {
    int x0 = counter[0];
    int x1 = counter[1];
    int x2 = counter[2];
    int x3 = counter[3];
    int k0 = key[0];
    int k1 = key[1];
    for (int round = 0; round < 10; round++) {
      long p0 = 0xD2511F53L * Integer.toUnsignedLong(x0);
      long p1 = 0xCD9E8D57L * Integer.toUnsignedLong(x2);
      x0 = (int) (p1 >>> 32) ^ x1 ^ k0;
      x1 = (int) p1;
      x2 = (int) (p0 >>> 32) ^ x3 ^ k1;
      x3 = (int) p0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return new int[] {x0, x1, x2, x3};
  }
}
