package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;

/// What happens to the result y of a product or convolution before it is stored: `activation(y +
/// bias + columns) + residual`.
///
/// @param activation applied after the bias
/// @param columns one value for each image and output channel (B, N), added to all of an image's
///   pixels, of the activations' type; null for none
/// @param residual a tensor of the result's shape and type that is added last; null for none
public record Epilogue(Activation activation, Tensor columns, Tensor residual) {
  public static final Epilogue NONE = of(Activation.NONE);

  public static Epilogue of(Activation activation) {
    return new Epilogue(activation, null, null);
  }

  /// Adds a tensor of the result's shape: the shortcut of a residual block.
  public static Epilogue add(Tensor residual) {
    return new Epilogue(Activation.NONE, null, residual);
  }

  /// Adds one value for each image and channel: a time embedding.
  public static Epilogue addColumns(Tensor columns) {
    return new Epilogue(Activation.NONE, columns, null);
  }

  /// Whether the residual is also where the result goes.
  public boolean inPlace(Tensor out) {
    return residual != null && residual == out;
  }
}
