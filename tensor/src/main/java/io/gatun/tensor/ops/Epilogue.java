package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;

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
  boolean inPlace(Tensor out) {
    return residual != null && residual == out;
  }

  /// @param out the result (B, ..., N)
  /// @throws IllegalArgumentException if an operand does not fit it
  void check(Context ctx, Tensor out) {
    if (columns != null) {
      Check.activations("columns", columns, ctx.dtype());
      Check.rank("columns", columns, 2);
      Check.same("images of columns", columns.dim(0), "images of x", out.dim(0));
      Check.same("features of columns", columns.dim(1), "features", out.dim(-1));
    }
    if (residual != null) {
      Check.activations("residual", residual, ctx.dtype());
      if (!residual.shape().equals(out.shape())) {
        throw new IllegalArgumentException(
            "residual has shape %s; need the result's, %s"
                .formatted(residual.shape(), out.shape()));
      }
    }
  }
}
