package io.gatun.ffm;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// What an operation reads besides its two factors.
///
/// @param bias null where the operation has none
/// @param aScale one f32; null where the operation is not scaled
/// @param bScales one f32 per column; null where the operation is not scaled
/// @param postOps the operands of the [PostOp.Binary]s, in their order
public record Operands(
    MemorySegment bias, MemorySegment aScale, MemorySegment bScales, List<MemorySegment> postOps) {
  /// No operands.
  public static final Operands NONE = new Operands(null, null, null, List.of());

  public Operands {
    postOps = List.copyOf(postOps);
  }

  /// A bias alone.
  public static Operands bias(MemorySegment bias) {
    return new Operands(bias, null, null, List.of());
  }

  /// Scales alone.
  public static Operands scales(MemorySegment aScale, MemorySegment bScales) {
    return new Operands(null, aScale, bScales, List.of());
  }

  /// The same with operands for the post-ops.
  public Operands withPostOps(MemorySegment... operands) {
    return new Operands(bias, aScale, bScales, List.of(operands));
  }
}
