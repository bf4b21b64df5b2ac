package io.gatun.tensor.ops.context;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.FirstCalls;
import io.gatun.tensor.kernel.dense.FirstRows;
import io.gatun.tensor.kernel.dense.VectorKernels;
import io.gatun.tensor.kernel.dense.VectorNetworkKernels;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.kernel.scalar.NetworkKernels;
import io.gatun.tensor.kernel.scalar.ScalarKernels;
import io.gatun.tensor.kernel.scalar.ScalarNetworkKernels;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.ProductObserver;
import io.gatun.tensor.runtime.Workers;
import io.gatun.tensor.runtime.Workspace;
import java.lang.foreign.MemorySegment;

/// What every operation runs on.
///
/// @param dtype the type of activations, F32 or BF16
/// @param kernels of rows in F32
/// @param networkKernels those that only networks on images and texts need
/// @param packed where weights are kept in another form than the checkpoint's
/// @param rowsAlike whether a row's product with weights is the same however many rows there are
/// @param products sees them; null if nobody does
public record Context(
    Backend backend,
    Precision precision,
    DType.Plain dtype,
    Kernels kernels,
    NetworkKernels networkKernels,
    Workers workers,
    Workspace workspace,
    PackedMemory packed,
    boolean rowsAlike,
    ProductObserver products) {
  private static final Kernels FIRST = new FirstRows();

  /// Of F32 activations.
  public static Context of(
      Backend backend, Precision precision, Workers workers, Workspace workspace) {
    boolean scalar = backend == Backend.SCALAR;
    return new Context(
        backend,
        precision,
        DType.Plain.F32,
        scalar ? new ScalarKernels() : new VectorKernels(),
        scalar ? new ScalarNetworkKernels() : new VectorNetworkKernels(),
        workers,
        workspace,
        new PackedMemory(),
        false,
        null);
  }

  /// The same with activations of another type, and weights packed elsewhere.
  public Context with(DType.Plain activations, PackedMemory memory) {
    return with(activations, memory, rowsAlike, products);
  }

  /// The same with products that do not depend on how many rows there are, and weights packed
  /// elsewhere.
  public Context alike(PackedMemory memory) {
    return with(dtype, memory, true, products);
  }

  /// The same with someone who sees products with weights, which are packed elsewhere.
  public Context observed(ProductObserver observer, PackedMemory memory) {
    return with(dtype, memory, rowsAlike, observer);
  }

  private Context with(
      DType.Plain activations, PackedMemory memory, boolean alike, ProductObserver observer) {
    return new Context(
        backend,
        precision,
        activations,
        kernels,
        networkKernels,
        workers,
        workspace,
        memory,
        alike,
        observer);
  }

  /// Those of rows in F32, which give the same whichever they are: ask anew for each operation.
  @Override
  public Kernels kernels() {
    return backend != Backend.SCALAR && FirstCalls.isServed() ? FIRST : kernels;
  }

  /// Whether F32 activations may be rounded to BF16 or 8 bits for speed.
  public boolean fast() {
    return precision == Precision.FAST;
  }

  /// The type of the activations, as oneDNN calls it.
  public ElementType elementType() {
    return dtype == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32;
  }

  /// Whether oneDNN multiplies activations, because it has fast products of their type here.
  public boolean usesOneDnn() {
    return backend == Backend.NATIVE && OneDnn.supports(elementType());
  }

  /// Whether oneDNN multiplies F32 here.
  public boolean hasOneDnnF32() {
    return backend == Backend.NATIVE && OneDnn.supports(ElementType.F32);
  }

  /// Whether there are products of BF16 here that are faster than those of F32.
  public boolean hasBf16() {
    return backend == Backend.NATIVE && OneDnn.supports(ElementType.BF16);
  }

  /// Whether there are fast products of 8-bit integers here.
  public boolean hasInt8() {
    return backend == Backend.NATIVE && OneDnn.supports(ElementType.S8);
  }

  /// Whether OpenBLAS multiplies F32 matrices here.
  public boolean hasBlas() {
    return backend == Backend.NATIVE && OpenBlas.isAvailable();
  }

  /// Gives back, when closed, what was taken from the workspace since.
  public Workspace.Scope scope() {
    return workspace.scope();
  }

  /// Activations with undefined values.
  public Tensor empty(long... dims) {
    return workspace.take(dtype, dims);
  }

  /// An F32 tensor with undefined values.
  public Tensor f32(long... dims) {
    return workspace.take(DType.Plain.F32, dims);
  }

  /// Scratch memory of so many bytes for each worker, one behind the other.
  public MemorySegment perWorker(long bytes) {
    return workspace.take(bytes * workers.threads());
  }

  /// [Workers#forEach].
  public void forEach(long n, long grain, Workers.Task task) {
    workers.forEach(n, grain, task);
  }

  /// What is done with one item.
  @FunctionalInterface
  public interface Item {
    void run(int worker, long index);
  }

  /// [Workers#forEach], an item at a time.
  public void each(long n, long grain, Item item) {
    workers.forEach(
        n,
        grain,
        (worker, from, to) -> {
          for (long i = from; i < to; i++) {
            item.run(worker, i);
          }
        });
  }

  /// The tensor, or where it has gaps, which kernels cannot read, a copy in the workspace.
  public Tensor dense(Tensor t) {
    return t.isContiguous() ? t : t.copy((bytes, alignment) -> workspace.take(bytes));
  }

  /// The values of a small tensor of any type, such as a bias, as F32 in the workspace or where
  /// they are.
  public MemorySegment values(Tensor t) {
    if (t.dtype() == DType.Plain.F32 && t.isContiguous()) {
      return t.segment();
    }
    var values = f32(t.size()).segment();
    WeightRows.toFloat(backend, dense(t).reshape(1, t.size()), 0, 1, values, 0);
    return values;
  }

  /// So many rows of `columns` elements make a chunk worth handing to another thread.
  public static long grain(long columns) {
    return Math.max(1, (1 << 12) / Math.max(1, columns));
  }
}
