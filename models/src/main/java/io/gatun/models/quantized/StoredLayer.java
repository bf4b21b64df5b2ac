package io.gatun.models.quantized;

import io.gatun.ffm.RawArena;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Set;
import java.util.TreeSet;

/// The tensors of one layer of a checkpoint, and what it takes to make a matrix of them.
final class StoredLayer {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final Checkpoint checkpoint;
  private final String name;
  private final QuantizationConfig config;
  private final Workers workers;
  private final boolean outline;
  private final Set<String> used = new TreeSet<>();

  StoredLayer(
      Checkpoint checkpoint,
      String name,
      QuantizationConfig config,
      Workers workers,
      boolean outline) {
    this.checkpoint = checkpoint;
    this.name = name;
    this.config = config;
    this.workers = workers;
    this.outline = outline;
  }

  String name() {
    return name;
  }

  QuantizationConfig config() {
    return config;
  }

  Workers workers() {
    return workers;
  }

  /// Whether only types and shapes matter.
  boolean isOutline() {
    return outline;
  }

  /// Zeros in place of a matrix: room that the system gives as it is touched.
  Tensor zeros(DType type, long rows, long columns) {
    var shape = Shape.of(rows, columns);
    return checkpoint.memory() instanceof RawArena memory
        ? Tensor.of(memory.reserve(Math.max(1, type.byteSize(shape))), type, shape)
        : Tensor.allocate(checkpoint.memory(), type, rows, columns);
  }

  /// Memory that lives as long as the checkpoint.
  Arena memory() {
    return checkpoint.memory();
  }

  /// What the file's header says of the layer's weight; null for nothing.
  Object metadata() {
    return checkpoint.metadata().get(name + ".weight");
  }

  boolean has(String part) {
    return checkpoint.tensors().containsKey(name + "." + part);
  }

  /// The names of the tensors that were asked for.
  Set<String> used() {
    return used;
  }

  /// A part; null if there is none.
  Tensor optional(String part) {
    String whole = name + "." + part;
    used.add(whole);
    return checkpoint.tensors().get(whole);
  }

  /// A part, without gaps.
  Tensor part(String part) {
    Tensor t = optional(part);
    if (t == null) {
      throw wrong(part, "is missing; the layer cannot be read without it");
    }
    return t.isContiguous() ? t : t.copy(memory());
  }

  /// A part of integers of 32 bits, as a matrix.
  Tensor words(String part) {
    Tensor t = part(part);
    if ((t.dtype() != DType.Plain.I32 && t.dtype() != DType.Plain.U32) || t.shape().rank() != 2) {
      throw wrong(part, "is %s %s; need a matrix of 32-bit words".formatted(shape(t), type(t)));
    }
    return t;
  }

  /// A part that must have a shape.
  Tensor part(String part, long... dims) {
    Tensor t = part(part);
    if (!t.shape().equals(Shape.of(dims))) {
      throw wrong(part, "is %s %s; need %s".formatted(shape(t), type(t), Shape.of(dims)));
    }
    return t;
  }

  /// The numbers of a part that holds a shape.
  long[] dims(String part) {
    Tensor t = part(part);
    if (t.dtype() != DType.Plain.I64 && t.dtype() != DType.Plain.I32 || t.size() > 8) {
      throw wrong(part, "is %s %s; need a shape".formatted(shape(t), type(t)));
    }
    var dims = new long[(int) t.size()];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = t.segment().get(INT, (long) i * t.dtype().blockBytes());
    }
    return dims;
  }

  /// Counts all parts but the bias, which is the model's, as used.
  void useAll() {
    for (String tensor : checkpoint.tensors().keySet()) {
      if (tensor.startsWith(name + ".") && !tensor.equals(name + ".bias")) {
        used.add(tensor);
      }
    }
  }

  /// Which group each column belongs to, where a part says that; else null.
  int[] groupOf(String part, int columns) {
    if (!has(part)) {
      return null;
    }
    Tensor t = part(part);
    if (t.size() != columns || (t.dtype() != DType.Plain.I32 && t.dtype() != DType.Plain.I64)) {
      throw wrong(
          part,
          "is %s %s; need an integer for each of %d columns".formatted(shape(t), type(t), columns));
    }
    var groups = new int[columns];
    int bytes = t.dtype().blockBytes();
    for (int k = 0; k < columns; k++) {
      groups[k] = t.segment().get(INT, (long) bytes * k);
    }
    return groups;
  }

  /// Requires that a part names each of so many columns once.
  void requirePermutation(String part, int columns) {
    var seen = new BitSet(columns);
    for (int k : groupOf(part, columns)) {
      if (k < 0 || k >= columns || seen.get(k)) {
        throw wrong(part, "is no order of %d columns".formatted(columns));
      }
      seen.set(k);
    }
  }

  /// Requires that so many things are whole groups.
  ///
  /// @return the size of a group
  int groupSize(String part, long columns, long groups) {
    if (groups < 1 || columns % groups != 0) {
      throw wrong(part, "has %d groups; %d columns are no whole groups".formatted(groups, columns));
    }
    return Math.toIntExact(columns / groups);
  }

  CheckpointException wrong(String part, String what) {
    return new CheckpointException(
        "%s: tensor \"%s.%s\" %s. List the file with: gatun inspect %s"
            .formatted(checkpoint.path(), name, part, what, checkpoint.path()));
  }

  private static Shape shape(Tensor t) {
    return t.shape();
  }

  private static String type(Tensor t) {
    return t.dtype().name();
  }
}
