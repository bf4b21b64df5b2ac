package io.gatun.tensor.ops.context;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.util.Arrays;

/// The operations' complaints.
public final class Check {
  private Check() {}

  public static void rank(String name, Tensor t, int rank) {
    if (t.shape().rank() != rank) {
      throw new IllegalArgumentException(
          "%s has shape %s; need %d dimensions".formatted(name, t.shape(), rank));
    }
  }

  public static void f32(String name, Tensor t) {
    if (t.dtype() != DType.Plain.F32 || !t.isContiguous()) {
      throw new IllegalArgumentException(
          "%s is %s %s%s; need contiguous F32"
              .formatted(name, t.dtype().name(), t.shape(), t.isContiguous() ? "" : " with gaps"));
    }
  }

  public static void dtype(String name, Tensor t, DType.Plain dtype) {
    if (t.dtype() != dtype) {
      throw new IllegalArgumentException(
          "%s is %s %s; need %s, the activations' type here"
              .formatted(name, t.dtype().name(), t.shape(), dtype.name()));
    }
  }

  public static void activations(String name, Tensor t, DType.Plain dtype) {
    if (t.dtype() != dtype || !t.isContiguous()) {
      throw new IllegalArgumentException(
          "%s is %s %s%s; need contiguous %s, the activations' type here"
              .formatted(
                  name,
                  t.dtype().name(),
                  t.shape(),
                  t.isContiguous() ? "" : " with gaps",
                  dtype.name()));
    }
  }

  /// A tensor that a result of `dims` is added to.
  public static void result(String name, Tensor t, DType.Plain dtype, long... dims) {
    activations(name, t, dtype);
    writable(name, t);
    if (!Arrays.equals(t.shape().dims(), dims)) {
      throw new IllegalArgumentException(
          "%s has shape %s; need %s, that of what is added to it"
              .formatted(name, t.shape(), Shape.of(dims)));
    }
  }

  /// A tensor that an operation changes.
  public static void writable(String name, Tensor t) {
    if (t.segment().isReadOnly()) {
      throw new IllegalArgumentException(
          "%s, %s %s, is read-only: it lies in a checkpoint's file. Change a copy of it"
              .formatted(name, t.dtype().name(), t.shape()));
    }
  }

  public static void same(String what, long found, String needed, long value) {
    if (found != value) {
      throw new IllegalArgumentException("%s: %d; %s: %d".formatted(what, found, needed, value));
    }
  }

  public static void sameShape(Tensor x, Tensor y) {
    f32("left operand", x);
    f32("right operand", y);
    if (!x.shape().equals(y.shape())) {
      throw new IllegalArgumentException("shapes differ: " + x.shape() + " and " + y.shape());
    }
  }

  /// What keeps a norm from dividing by 0.
  public static void eps(float eps) {
    if (!(eps >= 0 && eps < Float.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("eps is %s; need 0 or more".formatted(eps));
    }
  }

  public static void finite(String what, float value) {
    if (!Float.isFinite(value)) {
      throw new IllegalArgumentException("%s is %s; need a number".formatted(what, value));
    }
  }

  /// The size of the innermost dimension, which must have an element.
  public static int columns(String name, Tensor t) {
    if (t.shape().rank() == 0 || t.dim(-1) == 0) {
      throw new IllegalArgumentException(
          "%s has shape %s; need columns".formatted(name, t.shape()));
    }
    return Math.toIntExact(t.dim(-1));
  }

  public static void index(String what, long index, long size) {
    if (index < 0 || index >= size) {
      throw new IndexOutOfBoundsException("%s is %d; need 0..%d".formatted(what, index, size - 1));
    }
  }
}
