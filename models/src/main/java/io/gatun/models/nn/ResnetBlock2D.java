package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// A residual block of two convolutions (He et al. 2016), between which a time embedding may be
/// added (Ho et al. 2020).
public final class ResnetBlock2D {
  private final GroupNorm norm1;
  private final ConvWeight conv1;
  private final LinearWeight timeEmbProj;
  private final GroupNorm norm2;
  private final ConvWeight conv2;
  private final LinearWeight convShortcut;

  /// @param temb the size of the time embedding; 0 for none
  public ResnetBlock2D(Weights weights, int in, int out, int temb, int groups, float eps) {
    norm1 = weights.groupNorm("norm1", groups, in, eps);
    conv1 = weights.conv("conv1", out, in, 3);
    timeEmbProj = temb == 0 ? null : weights.linear("time_emb_proj", out, temb);
    norm2 = weights.groupNorm("norm2", groups, out, eps);
    conv2 = weights.conv("conv2", out, out, 3);
    convShortcut = in == out ? null : weights.linear("conv_shortcut", out, in);
  }

  /// h = conv1(silu(norm1(x))) + linear(temb); y = shortcut(x); y += conv2(silu(norm2(h)))
  ///
  /// @param x (B, H, W, I)
  /// @param temb silu of the time embedding (B, E); null for none
  /// @return (B, H, W, O)
  public Tensor forward(Functional f, Tensor x, Tensor temb) {
    var y = convShortcut == null ? f.cast(x) : f.linear(x, convShortcut);
    Scoped.run(
        f,
        () -> {
          var h = Scoped.call(f, () -> first(f, x, temb));
          f.addConv2d(y, norm2.forward(f, h, Activation.SILU), conv2);
        });
    return y;
  }

  private Tensor first(Functional f, Tensor x, Tensor temb) {
    var columns =
        timeEmbProj == null ? Epilogue.NONE : Epilogue.addColumns(f.linear(temb, timeEmbProj));
    return f.conv2d(norm1.forward(f, x, Activation.SILU), conv1, columns); // (B, H, W, O)
  }
}
