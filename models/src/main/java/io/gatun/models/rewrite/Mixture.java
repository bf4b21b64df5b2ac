package io.gatun.models.rewrite;

import io.gatun.models.quantize.Sensitivity;
import io.gatun.models.quantize.Target;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Which matrices have more bits than the others.
///
/// @param names theirs
/// @param description of the whole, for the user
record Mixture(Set<String> names, String description) {
  /// The bits that they have.
  static final int MORE = 8;

  /// Takes those with the greatest divergence for each weight, as long as the bits suffice; later
  /// ones that are small enough fill up the rest.
  ///
  /// @param targets of equally many bits
  /// @param divergences of units; what texts have not reached has none, and stays
  /// @param bits in the mean
  static Mixture of(Collection<Target> targets, Map<String, Double> divergences, double bits) {
    var units = new LinkedHashMap<String, List<Target>>();
    for (var target : targets) {
      units.computeIfAbsent(Sensitivity.unit(target.name()), _ -> new ArrayList<>()).add(target);
    }
    int least = targets.stream().mapToInt(t -> t.type().bits()).min().orElse(MORE);
    long all = weights(targets);
    // Rounding is no reason to lose the last matrix that fits.
    double left = (bits - least) * all + 1e-6 * all;
    double used = (double) least * all;
    var byWorth =
        units.keySet().stream()
            .filter(divergences::containsKey)
            .sorted(Comparator.comparingDouble(u -> -divergences.get(u) / weights(units.get(u))))
            .toList();
    var names = new HashSet<String>();
    for (String unit : byWorth) {
      double cost = (double) (MORE - least) * weights(units.get(unit));
      if (cost <= left) {
        left -= cost;
        used += cost;
        units.get(unit).forEach(target -> names.add(target.name()));
      }
    }
    double scales =
        targets.stream().mapToDouble(t -> 16.0 / t.type().groupSize() * t.matrix().size()).sum();
    String description =
        String.format(
            Locale.ROOT,
            "%d of %d matrices of layers have %d bits, the others %d: %.3f a weight, and %.2f for"
                + " scales",
            names.size(),
            targets.size(),
            MORE,
            least,
            used / all,
            scales / all);
    return new Mixture(names, description);
  }

  private static long weights(Collection<Target> targets) {
    return targets.stream().mapToLong(t -> t.matrix().size()).sum();
  }
}
