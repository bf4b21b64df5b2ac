package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.SHORTS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// The softmax of many short rows of scores, several of which make a vector. Memory is given by
/// addresses, which whoever calls has checked.
public final class GroupSoftmax {
  /// The elements of a short group, and of a long one. A vector must hold a group.
  public static final int SHORT = 8;

  public static final int LONG = 16;

  /// Added to an element, it makes that element's weight next to nothing.
  public static final float UNCOUNTED = -1e30f;

  private GroupSoftmax() {}

  /// The weights of groups as BF16, within 1e-3 of their size before they are rounded; NaN where a
  /// group has a NaN.
  ///
  /// @param scores F32, `vectors` times [Lanes#COUNT] of them
  /// @param size of a group: [#SHORT] or [#LONG]
  /// @param scale of the scores
  /// @param uncounted a vector of 0 and, where a group's elements do not count, [#UNCOUNTED]
  public static void bf16(
      long scores, long weights, int vectors, int size, float scale, long uncounted) {
    var factor = FloatVector.broadcast(FLOATS, scale * AttentionWeights.LOG2_E);
    var one = FloatVector.broadcast(FLOATS, AttentionWeights.ONE);
    var zero = FloatVector.zero(FLOATS);
    // A vector that one of two branches makes is an object in some JVMs: so a short group's maximum
    // is taken twice of the same, and its sum with 0 times the other.
    var far = size == LONG ? BY_8 : BY_4;
    var ofFar = FloatVector.broadcast(FLOATS, size == LONG ? 1f : 0f);
    var added = FloatVector.fromMemorySegment(FLOATS, ALL, uncounted & IN_BOUNDS, ORDER);
    for (int i = 0; i < vectors; i++) {
      var x =
          FloatVector.fromMemorySegment(FLOATS, ALL, (scores + 4L * COUNT * i) & IN_BOUNDS, ORDER)
              .fma(factor, added);
      var most = x.max(x.rearrange(far));
      most = most.max(most.rearrange(BY_4));
      most = most.max(most.rearrange(BY_2));
      most = most.max(most.rearrange(BY_1));
      var away = x.sub(most);
      var bits =
          away.add(one)
              .reinterpretAsInts()
              .lanewise(VectorOperators.MAX, AttentionWeights.LEAST)
              .lanewise(VectorOperators.LSHL, 9);
      var mantissa =
          bits.lanewise(VectorOperators.AND, AttentionWeights.MANTISSA)
              .lanewise(VectorOperators.OR, AttentionWeights.EXPONENT_OF_ONE)
              .reinterpretAsFloats();
      var e =
          mantissa
              .fma(AttentionWeights.C3, AttentionWeights.C2)
              .fma(mantissa, AttentionWeights.C1)
              .fma(mantissa, AttentionWeights.C0)
              .mul(bits.reinterpretAsFloats());
      // The bits of a NaN are taken for a number; nothing of them brings it back.
      var sum = away.fma(zero, e);
      sum = sum.rearrange(far).fma(ofFar, sum);
      sum = sum.add(sum.rearrange(BY_4));
      sum = sum.add(sum.rearrange(BY_2));
      sum = sum.add(sum.rearrange(BY_1));
      ((ShortVector)
              e.div(sum)
                  .reinterpretAsInts()
                  .lanewise(VectorOperators.ADD, AttentionWeights.HALF)
                  .lanewise(VectorOperators.LSHR, 16)
                  .convertShape(VectorOperators.I2S, SHORTS, 0))
          .intoMemorySegment(ALL, (weights + 2L * COUNT * i) & IN_BOUNDS, ORDER);
    }
  }
}
