package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;

/// What oneDNN does to each element of a result before it is stored, in the order given.
public sealed interface PostOp {
  /// Adds what the destination held before the call.
  PostOp ACCUMULATE = new Accumulate();

  record Accumulate() implements PostOp {}

  /// A function of one element.
  enum Activation implements PostOp {
    RELU(Dnnl.dnnl_eltwise_relu()),
    GELU_ERF(Dnnl.dnnl_eltwise_gelu_erf()),
    GELU_TANH(Dnnl.dnnl_eltwise_gelu_tanh()),
    /// x * sigmoid(x), also called swish.
    SILU(Dnnl.dnnl_eltwise_swish()),
    /// x * sigmoid(1.702 x), which OpenAI's CLIP uses for GELU.
    QUICK_GELU(Dnnl.dnnl_eltwise_swish());

    final int algorithm;

    Activation(int algorithm) {
      this.algorithm = algorithm;
    }

    float alpha() {
      return switch (this) {
        case SILU -> 1f;
        case QUICK_GELU -> 1.702f;
        case RELU, GELU_ERF, GELU_TANH -> 0f;
      };
    }
  }

  /// Adds or multiplies by another operand, given with the call.
  ///
  /// @param op what to do
  /// @param type the operand's element type
  /// @param extent how much of the result one element of the operand serves
  record Binary(Op op, ElementType type, Extent extent) implements PostOp {
    /// Which operation.
    public enum Op {
      ADD(Dnnl.dnnl_binary_add()),
      MULTIPLY(Dnnl.dnnl_binary_mul());

      final int algorithm;

      Op(int algorithm) {
        this.algorithm = algorithm;
      }
    }

    /// The shape of the operand, beside a result of (rows, columns) or (N, H, W, channels). There
    /// is none for one element per row: oneDNN 3.11 has only slow reference code for that.
    public enum Extent {
      /// The result's own shape; its rows are as far apart as the result's.
      EVERY_ELEMENT,
      /// One element for each column or channel.
      PER_COLUMN
    }
  }
}
