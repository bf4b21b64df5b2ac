package io.gatun.ffm;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// What an operation reads besides its two factors.
///
/// @param bias null where the operation has none
/// @param postOps the operands of the [PostOp.Binary]s, in their order
public record Operands(MemorySegment bias, List<MemorySegment> postOps) {
  /// No operands.
  public static final Operands NONE = new Operands(null, List.of());

  public Operands {
    postOps = List.copyOf(postOps);
  }

  /// A bias alone.
  public static Operands bias(MemorySegment bias) {
    return new Operands(bias, List.of());
  }

  /// The same with operands for the post-ops.
  public Operands withPostOps(MemorySegment... operands) {
    return new Operands(bias, List.of(operands));
  }
}
