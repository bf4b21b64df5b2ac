package io.gatun.tensor.kernel;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// The vector shapes that the kernels share: the machine's preferred one, at most 512 bits.
///
/// They are static finals, which the compiler needs as constants; [#LANES] is the number of floats.
final class Species {
  private static final VectorShape SHAPE =
      VectorShape.forBitSize(Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize()));
  private static final int BITS = SHAPE.vectorBitSize();

  static final VectorSpecies<Float> F = VectorSpecies.of(float.class, SHAPE);
  static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, SHAPE);
  static final VectorSpecies<Short> S = VectorSpecies.of(short.class, SHAPE);

  /// As many shorts as `F` has floats.
  static final VectorSpecies<Short> HALF_S =
      ShortVector.SPECIES_64.withShape(VectorShape.forBitSize(BITS / 2));

  static final int LANES = F.length();

  static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LE);
  static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);

  private Species() {}
}
