package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Weights that a file has transposed, as PyTorch's may, are copied when a network is made, and not
/// for each product.
class StridedWeightsTest {
  private static final String LAYER = "image_encoder.blocks.0.attn.qkv";

  /// A checkpoint with other tensors.
  private static Checkpoint with(Checkpoint checkpoint, Map<String, Tensor> tensors) {
    return (Checkpoint)
        Proxy.newProxyInstance(
            Checkpoint.class.getClassLoader(),
            new Class<?>[] {Checkpoint.class},
            (_, method, args) ->
                method.getName().equals("tensors") ? tensors : method.invoke(checkpoint, args));
  }

  private static float[] product(LinearWeight weight) {
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      var x = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, 3, weight.inFeatures());
      x.segment().fill((byte) 62);
      return new Functional(ops, DType.Plain.F32).linear(x, weight).toFloats();
    }
  }

  @Test
  void areCopiedOnce() {
    try (var checkpoint = Checkpoint.open(TestData.pretrained("tiny-sam"));
        var arena = Arena.ofShared()) {
      Tensor dense = checkpoint.tensor(LAYER + ".weight");
      Tensor strided = dense.transpose(0, 1).copy(arena).transpose(0, 1);
      assertFalse(strided.isContiguous());
      var tensors = new HashMap<>(checkpoint.tensors());
      tensors.put(LAYER + ".weight", strided);
      var weights = Weights.of(with(checkpoint, tensors));
      assertArrayEquals(
          product(Weights.of(checkpoint).linear(LAYER, dense.dim(0), dense.dim(1))),
          product(weights.linear(LAYER, dense.dim(0), dense.dim(1))));
      var tensor = weights.tensor(LAYER + ".weight", dense.dim(0), dense.dim(1));
      assertTrue(tensor.isContiguous());
      assertArrayEquals(dense.toFloats(), tensor.toFloats());
    }
  }
}
