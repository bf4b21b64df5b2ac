package io.gatun.models.diffusion.schedulers;

import java.util.Arrays;

/// Which of the training steps a run uses (Lin et al. 2023, "Common Diffusion Noise Schedules and
/// Sample Steps are Flawed", arXiv:2305.08891, table 2).
enum TimestepSpacing {
  /// From the last to the first, both of them used.
  LINSPACE,
  /// The first of each of equally long parts, moved by `steps_offset`.
  LEADING,
  /// The last of each of equally long parts.
  TRAILING;

  /// `steps` of the training steps 0 to `last - 1`, the greatest first; LINSPACE's are not whole
  /// numbers.
  double[] timesteps(int last, int steps, int offset) {
    var t = new double[steps];
    for (int i = 0; i < steps; i++) {
      t[i] =
          switch (this) {
            case LINSPACE -> steps == 1 ? 0 : (steps - 1 - i) * ((last - 1) / (steps - 1.0));
            case LEADING -> (steps - 1 - i) * (last / steps) + offset;
            case TRAILING -> Math.rint(last - i * (last / (double) steps)) - 1;
          };
    }
    return t;
  }

  /// The same for solvers that end at the noise of no step: LINSPACE and LEADING take one step more
  /// and leave out the last.
  double[] solverTimesteps(int last, int steps, int offset) {
    if (this == TRAILING) {
      return timesteps(last, steps, offset);
    }
    return Arrays.copyOf(timesteps(last, steps + 1, offset), steps);
  }
}
