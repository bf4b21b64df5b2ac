package io.gatun.models.nn;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.nn.WeightNames.Stored;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;

/// The tensors of a checkpoint, which stay where it has them.
///
/// @param names where the checkpoint keeps what the reference implementation names otherwise
record CheckpointTensors(UsedTensors tensors, WeightNames names) implements TensorSource {
  /// What ComfyUI's GGUF files of UNets say of a tensor.
  private static final String ORIGINAL_SHAPE = "comfy.gguf.orig_shape.";

  @Override
  public Shape shape(String name) {
    var stored = names.stored(name);
    Tensor t = checkpoint().tensors().get(stored.name());
    return t == null ? null : fromFile(stored, inOwnShape(stored.name(), t).shape());
  }

  /// A tensor's own shape, of the shape that the file has it in; that one if it cannot be.
  private static Shape fromFile(Stored stored, Shape shape) {
    var dims = shape.dims();
    if (stored.isWhole()
        || dims.length == 0
        || dims[0] % stored.of() != 0
        || (stored.swapped() && dims[0] % 2 != 0)
        || (stored.transposed() && dims.length != 2)) {
      return shape;
    }
    dims[0] = dims[0] / stored.of() * (stored.to() - stored.from());
    return stored.transposed() ? Shape.of(dims[1], dims[0]) : Shape.of(dims);
  }

  @Override
  public Tensor tensor(String name, Shape shape, String reason) {
    var stored = names.stored(name);
    Tensor t = tensors.use(stored.name());
    if (t == null) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is missing; need %s because %s. %s"
              .formatted(where(), stored.name(), shape, reason, list()));
    }
    t = inOwnShape(stored.name(), t);
    if (isRow(t, shape)) {
      t = t.reshape(shape.dims());
    }
    if (!shape.equals(fromFile(stored, t.shape()))) {
      throw wrong(
          stored,
          "%s %s; need %s because %s".formatted(t.shape(), t.dtype().name(), shape, reason));
    }
    if (!Ops.supports(t.dtype())) {
      throw wrong(
          stored,
          t.dtype().name() + ", with which Gatun cannot compute; get the model as F16 or BF16");
    }
    if (!t.isContiguous()) {
      t = t.copy(Arena.ofAuto()); // PyTorch stores some weights transposed, say
    }
    if (stored.transposed()) {
      return Tensor.ofFloats(Arena.ofAuto(), t.transpose(0, 1).toFloats(), shape.dims());
    }
    return stored.rowsOf(t);
  }

  /// A tensor in its own shape where a GGUF file says that it was given another one, of longer
  /// rows, to be quantized; as F32 where its own rows would cut blocks.
  private Tensor inOwnShape(String name, Tensor t) {
    if (!(checkpoint().metadata().get(ORIGINAL_SHAPE + name) instanceof List<?> list)
        || !list.stream().allMatch(Number.class::isInstance)) {
      return t;
    }
    long[] dims = list.stream().mapToLong(n -> ((Number) n).longValue()).toArray();
    if (!isShapeOf(t.size(), dims)) {
      throw wrong(
          Stored.of(name),
          "%s; its metadata say that it was %s".formatted(t.shape(), Arrays.toString(dims)));
    }
    boolean cuts = dims[dims.length - 1] % t.dtype().blockSize() != 0;
    return (cuts ? Ops.toF32(t, Arena.ofAuto()) : t).reshape(dims);
  }

  private static boolean isShapeOf(long size, long[] dims) {
    long rest = size;
    for (long dim : dims) {
      if (dim < 1 || rest % dim != 0) {
        return false;
      }
      rest /= dim;
    }
    return rest == 1 && dims.length > 0;
  }

  /// Whether a tensor is the matrix of one row that is asked for: llama.cpp writes it as a vector
  /// when it quantizes a file.
  private boolean isRow(Tensor t, Shape shape) {
    return checkpoint().format() == Format.GGUF
        && t.shape().rank() == 1
        && shape.equals(Shape.of(1, t.size()));
  }

  private Checkpoint checkpoint() {
    return tensors.checkpoint();
  }

  @Override
  public String where() {
    return checkpoint().path().toString();
  }

  private CheckpointException wrong(Stored stored, String what) {
    return new CheckpointException(
        "%s: tensor \"%s\" is %s. %s"
            .formatted(checkpoint().file(stored.name()), stored.name(), what, list()));
  }

  private String list() {
    return "List the file with: gatun inspect " + checkpoint().path();
  }
}
