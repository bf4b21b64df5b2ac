package io.gatun.tensor.ops;

import io.gatun.tensor.Shape;

/// Sees the operations of a [Functional] as they are done: for counting work and finding where time
/// goes.
@FunctionalInterface
public interface OpObserver {
  /// An operation is done.
  ///
  /// @param name the method's
  /// @param input the shape of its first operand
  /// @param flops additions and multiplications of products, convolutions and attention; 0 for
  ///   others
  void operation(String name, Shape input, Shape result, long flops, long nanos);
}
