package io.gatun.models.decoder;

/// How the rotary frequencies are changed for texts longer than those the model was first made for.
///
/// Sources: transformers' `modeling_rope_utils.py`; YaRN is of Peng et al. 2023, LongRoPE of Ding
/// et al. 2024.
public sealed interface RopeScaling {
  /// Leaves them as they are.
  static RopeScaling none() {
    return new None();
  }

  /// The frequencies of a head's pairs.
  ///
  /// @param dim numbers of a head that are rotated
  /// @param length positions up to the end of this step
  /// @param capacity the most positions that the conversation may have
  double[] frequencies(double theta, int dim, int length, int capacity);

  /// What sines and cosines are multiplied by.
  default double attentionFactor() {
    return 1;
  }

  /// `theta^(-2i / dim)`.
  private static double[] plain(double theta, int dim) {
    var f = new double[dim / 2];
    for (int i = 0; i < f.length; i++) {
      f[i] = Math.pow(theta, -2.0 * i / dim);
    }
    return f;
  }

  /// See [#none].
  record None() implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      return plain(theta, dim);
    }
  }

  /// Positions divided by a factor.
  record Linear(double factor) implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      var f = plain(theta, dim);
      for (int i = 0; i < f.length; i++) {
        f[i] /= factor;
      }
      return f;
    }
  }

  /// Only the first pairs of a head turn, those of the highest frequencies, of which the slowest
  /// lies in the middle of the head all the same (Gemma 4).
  ///
  /// @param share of the pairs
  record Proportional(double share, double factor) implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      var f = plain(theta, dim);
      for (int i = 0; i < f.length; i++) {
        f[i] = i < (int) (share * dim / 2) ? f[i] / factor : 0;
      }
      return f;
    }
  }

  /// Llama 3.1: long waves are stretched, short ones kept, those between blended.
  record Llama3(double factor, double lowFreqFactor, double highFreqFactor, int original)
      implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      var f = plain(theta, dim);
      for (int i = 0; i < f.length; i++) {
        double turns = original * f[i] / (2 * Math.PI);
        double keep = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        double smooth = Math.clamp(keep, 0.0, 1.0);
        f[i] = (1 - smooth) * f[i] / factor + smooth * f[i];
      }
      return f;
    }
  }

  /// A base that grows with the text, once it is longer than `original`. Keys that are cached stay
  /// as they were turned.
  record Dynamic(double factor, int original) implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      double growth = factor * Math.max(length, original) / original - (factor - 1);
      return plain(theta * Math.pow(growth, dim / (dim - 2.0)), dim);
    }
  }

  /// YaRN: pairs that turn often are kept, those that turn seldom stretched, with a ramp between.
  ///
  /// @param truncate whether the ramp's ends are whole pairs
  record Yarn(
      double factor,
      int original,
      double betaFast,
      double betaSlow,
      boolean truncate,
      double attentionFactor)
      implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      double low = pair(betaFast, theta, dim);
      double high = pair(betaSlow, theta, dim);
      if (truncate) {
        low = Math.floor(low);
        high = Math.ceil(high);
      }
      low = Math.max(low, 0);
      high = Math.min(high, dim - 1);
      if (low == high) {
        high += 0.001;
      }
      var f = plain(theta, dim);
      for (int i = 0; i < f.length; i++) {
        double stretched = Math.clamp((i - low) / (high - low), 0.0, 1.0);
        f[i] = f[i] / factor * stretched + f[i] * (1 - stretched);
      }
      return f;
    }

    /// The pair that makes so many turns in the original context.
    private double pair(double turns, double theta, int dim) {
      return dim * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    /// What scores grow by when positions are stretched.
    public static double mscale(double factor, double multiplier) {
      return factor <= 1 ? 1 : 0.1 * multiplier * Math.log(factor) + 1;
    }
  }

  /// LongRoPE: each pair has a divisor of its own, of which there are two sets. Which one serves
  /// depends on how long the conversation may become, so that all its keys agree: as in llama.cpp
  /// and vLLM. Transformers goes by how long it is, and reads all of it again once it is longer
  /// than `original`. A context of `original` positions gives what transformers gives for short
  /// texts.
  record LongRope(float[] shortFactor, float[] longFactor, int original, double attentionFactor)
      implements RopeScaling {
    @Override
    public double[] frequencies(double theta, int dim, int length, int capacity) {
      float[] divisors = capacity > original ? longFactor : shortFactor;
      var f = plain(theta, dim);
      for (int i = 0; i < f.length; i++) {
        f[i] /= divisors[i];
      }
      return f;
    }
  }
}
