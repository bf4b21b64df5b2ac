package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Binary.Extent;
import io.gatun.ffm.PostOp.Binary.Op;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import java.util.ArrayList;
import java.util.List;

/// What an [Epilogue] is to oneDNN.
public final class PostOps {
  private PostOps() {}

  /// The operations after the bias. oneDNN is faster at adding to what is there than at adding
  /// another operand.
  ///
  /// @param type the activations'
  /// @param out where the result goes
  public static List<PostOp> of(Epilogue epilogue, ElementType type, Tensor out) {
    var chain = new ArrayList<PostOp>();
    if (epilogue.columns() != null) {
      chain.add(new PostOp.Binary(Op.ADD, type, Extent.PER_COLUMN));
    }
    switch (epilogue.activation()) {
      case NONE -> {}
      case RELU -> chain.add(PostOp.Activation.RELU);
      case SILU -> chain.add(PostOp.Activation.SILU);
      case GELU -> chain.add(PostOp.Activation.GELU_ERF);
      case GELU_TANH -> chain.add(PostOp.Activation.GELU_TANH);
      case QUICK_GELU -> chain.add(PostOp.Activation.QUICK_GELU);
    }
    if (epilogue.inPlace(out)) {
      chain.add(PostOp.ACCUMULATE);
    } else if (epilogue.residual() != null) {
      chain.add(new PostOp.Binary(Op.ADD, type, Extent.EVERY_ELEMENT));
    }
    return chain;
  }
}
