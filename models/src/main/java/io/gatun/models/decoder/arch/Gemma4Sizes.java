package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.SelfAttention;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// What differs from layer to layer in Gemma 4, from any of the three places that say it: GGUF's
/// lists, published files' keys for global layers, and `per_layer_config` of transformers 5.
///
/// @param windows positions that each layer sees, 0 for all
/// @param widths of the dense layers
/// @param shared layers at the end that read the keys and values of earlier ones
/// @param keysAsValues whether global layers have no values but their keys
record Gemma4Sizes(
    Config config,
    int[] windows,
    List<SelfAttention.Heads> heads,
    List<Integer> widths,
    int shared,
    boolean keysAsValues,
    int expertsPerToken,
    int expertWidth) {
  static Gemma4Sizes of(Keys keys) {
    keys.require("hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    // Of a model that sees, it is about images alone.
    keys.require("use_bidirectional_attention", "vision", "vision");
    boolean gguf = keys.isGguf();
    int window = keys.count("sliding_window", 512);
    var defaults = new Config.Defaults(1e-6, 1e6, 256, 131072);
    var c = Config.of(keys, defaults).withSlidingWindow(window);
    int n = c.numHiddenLayers();
    int[] windows = keys.windows(n, window, i -> (i + 1) % 6 != 0);
    int shared = keys.countOrNone(gguf ? "shared_kv_layers" : "num_kv_shared_layers");
    var heads = new ArrayList<SelfAttention.Heads>();
    for (int i = 0; i < n; i++) {
      heads.add(
          new SelfAttention.Heads(
              c.numAttentionHeads(),
              keyValueHeads(keys, c, i, windows[i] > 0),
              headDim(keys, c, i, windows[i] > 0)));
    }
    if (gguf) {
      int local = keys.count("head_dim_swa", c.headDim());
      keys.require("v_head_dim_swa", local);
      keys.require("rope_dim_swa", local);
    }
    boolean wide = keys.flag("use_double_wide_mlp", false);
    var widths = new ArrayList<Integer>();
    var listed =
        gguf ? keys.counts("intermediate_size", n) : Collections.nCopies(n, c.intermediateSize());
    for (int i = 0; i < n; i++) {
      widths.add(listed.get(i) * (wide && i >= n - shared ? 2 : 1));
    }
    keys.flag("enable_moe_block", false);
    boolean moe = c.numLocalExperts() > 0;
    return new Gemma4Sizes(
        c,
        windows,
        heads,
        widths,
        shared,
        keys.flag("attention_k_eq_v", gguf),
        !moe ? 0 : gguf ? c.numExpertsPerTok() : keys.count("top_k_experts"),
        moe ? keys.count("moe_intermediate_size") : 0);
  }

  private static int headDim(Keys keys, Config c, int i, boolean local) {
    if (keys.isGguf()) {
      return local ? keys.count("head_dim_swa", c.headDim()) : c.headDim();
    }
    int global = keys.count("global_head_dim", c.headDim());
    return own(keys, i, "head_dim", local ? c.headDim() : global);
  }

  private static int keyValueHeads(Keys keys, Config c, int i, boolean local) {
    if (keys.isGguf()) {
      return keys.counts("num_key_value_heads", c.numHiddenLayers()).get(i);
    }
    int global = keys.count("num_global_key_value_heads", c.numKeyValueHeads());
    return own(keys, i, "num_key_value_heads", local ? c.numKeyValueHeads() : global);
  }

  private static int own(Keys keys, int i, String key, int otherwise) {
    var own = keys.section("per_layer_config").section(String.valueOf(i));
    return own.count(key, otherwise);
  }

  /// That of heads in layers of one kind.
  int dim(boolean local) {
    for (int i = 0; i < windows.length; i++) {
      if (windows[i] > 0 == local) {
        return heads.get(i).dim();
      }
    }
    return config.headDim();
  }

  boolean valuesAreKeys(int i) {
    return keysAsValues && windows[i] == 0;
  }

  /// The layer whose keys and values layer `i` reads: the last of its kind that has some; -1 for
  /// its own.
  int source(int i) {
    int first = windows.length - shared;
    if (i < first) {
      return -1;
    }
    for (int j = first - 1; j >= 0; j--) {
      if (windows[j] > 0 == windows[i] > 0) {
        return j;
      }
    }
    return -1;
  }
}
