package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.LoadMode;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What lies in a checkpoint's file is never written, which would end the process.
class ReadOnlyTest {
  @TempDir private Path folder;

  private static Tensor tensor(long... dims) {
    return Tensor.allocate(Arena.ofAuto(), Plain.F32, dims);
  }

  @ParameterizedTest
  @EnumSource
  void operationsInPlaceRefuseTheTensorsOfACheckpoint(LoadMode mode) {
    Path file = folder.resolve("model.safetensors");
    new SafetensorsWriter()
        .add("rows", tensor(4, 32))
        .add("heads", tensor(4, 1, 32))
        .add("image", tensor(1, 4, 4, 32))
        .write(file);
    try (var checkpoint = Checkpoint.open(file, mode);
        var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, Plain.F32);
      Tensor rows = checkpoint.tensor("rows");
      Tensor heads = checkpoint.tensor("heads");
      Tensor image = checkpoint.tensor("image");
      Tensor x = tensor(4, 32);
      var linear = LinearWeight.of(tensor(32, 32), tensor(32));
      var conv = ConvWeight.same(tensor(32, 32, 3, 3), tensor(32));
      List<Executable> calls =
          List.of(
              () -> ops.addBias(rows, tensor(32)),
              () -> ops.addInPlace(rows, x),
              () -> ops.addInPlace(rows.slice(0, 1, 3), x.slice(0, 1, 3)),
              () -> ops.addScaledRow(rows, 1, tensor(1, 32), 2),
              () -> ops.rope(heads, x, x, false),
              () -> ops.softmax(rows),
              () -> ops.logSoftmax(rows, new int[4]),
              () -> f.addLinear(rows, x, linear),
              () -> f.addConv2d(image, tensor(1, 4, 4, 32), conv));
      for (var call : calls) {
        var e = assertThrows(IllegalArgumentException.class, call);
        assertTrue(e.getMessage().contains("is read-only"), e::getMessage);
      }
      ops.addInPlace(x, rows);
      assertArrayEquals(new float[4 * 32], rows.toFloats());
    }
  }
}
