package io.gatun.models.nn;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/// Notes which tensors a network asks for, and gives it undefined ones: networks read none before
/// they run, and those that are made from these must not run.
public final class DeclaredTensors implements TensorSource, AutoCloseable {
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private final Arena arena = Arena.ofConfined();
  private MemorySegment memory = MemorySegment.NULL;

  /// A source that nothing was asked of yet.
  public DeclaredTensors() {}

  /// The tensors that were asked for, in that order.
  public Map<String, Shape> shapes() {
    return shapes;
  }

  @Override
  public Shape shape(String name) {
    return null;
  }

  @Override
  public Tensor tensor(String name, Shape shape, String reason) {
    shapes.put(name, shape);
    long bytes = DType.Plain.BF16.byteSize(shape);
    if (memory.byteSize() < bytes) {
      memory = arena.allocate(bytes, 64);
    }
    return Tensor.of(memory, DType.Plain.BF16, shape);
  }

  @Override
  public String where() {
    return "no file";
  }

  @Override
  public void close() {
    arena.close();
  }
}
