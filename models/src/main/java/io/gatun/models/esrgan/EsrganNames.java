package io.gatun.models.esrgan;

import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.WeightNames.Stored;
import java.util.Map;

/// The names of the first ESRGAN's files for Real-ESRGAN's.
public final class EsrganNames {
  private static final String MARK = "model.0.weight";

  private static final Map<String, String> LAYERS =
      Map.of(
          "conv_first", "0", "conv_up1", "3", "conv_up2", "6", "conv_hr", "8", "conv_last", "10");

  private EsrganNames() {}

  /// The names that a file has.
  public static WeightNames of(UsedTensors tensors) {
    for (String prefix : new String[] {"params_ema.", "params."}) {
      if (tensors.has(prefix + "conv_first.weight")) {
        return name -> Stored.of(prefix + name);
      }
    }
    if (!tensors.has(MARK)) {
      return WeightNames.SAME;
    }
    int blocks = 0;
    while (tensors.has("model.1.sub.%d.RDB1.conv1.0.weight".formatted(blocks))) {
      blocks++;
    }
    int after = blocks;
    return name -> Stored.of(old(name, after));
  }

  private static String old(String name, int blocks) {
    int dot = name.lastIndexOf('.');
    String layer = name.substring(0, dot);
    String what = name.substring(dot);
    if (layer.equals("conv_body")) {
      return "model.1.sub." + blocks + what;
    }
    if (LAYERS.containsKey(layer)) {
      return "model." + LAYERS.get(layer) + what;
    }
    return layer.replaceFirst("^body\\.", "model.1.sub.").replace(".rdb", ".RDB") + ".0" + what;
  }
}
