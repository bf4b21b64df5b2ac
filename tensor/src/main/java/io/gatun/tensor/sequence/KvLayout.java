package io.gatun.tensor.sequence;

/// Keys and values of each position.
///
/// @param heads key/value heads, G
/// @param keyDim numbers of a key
/// @param valueDim numbers of a value
/// @param window how many positions a row sees, its own included; 0 for all
public record KvLayout(int heads, int keyDim, int valueDim, int window) implements LayerState {
  /// @throws IllegalArgumentException if a size is less than 1, or the window negative
  public KvLayout {
    if (Math.min(heads, Math.min(keyDim, valueDim)) < 1 || window < 0) {
      throw new IllegalArgumentException(
          "%d heads of %d and %d, window %d; need at least 1 of each, and 0 (all) or more"
              .formatted(heads, keyDim, valueDim, window));
    }
  }
}
