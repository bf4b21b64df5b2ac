package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.MemorySegment;

/// Copies weights from one layout into another, once.
final class Reorder {
  private Reorder() {}

  /// @param from the descriptor of the source, which is taken over
  /// @param bytes the least that the source must have
  static void run(
      MemorySegment from, MemorySegment source, long bytes, PackedLayout to, MemorySegment target) {
    try (var builder = new PrimitiveBuilder("packing weights")) {
      MemorySegment src = builder.argument(Dnnl.DNNL_ARG_FROM(), from, bytes);
      MemorySegment dst =
          builder.argument(Dnnl.DNNL_ARG_TO(), Dnn.cloneDescriptor(to.descriptor()), to.byteSize());
      builder.describe(
          p ->
              Dnnl.dnnl_reorder_primitive_desc_create(
                  p, src, Dnn.ENGINE, dst, Dnn.ENGINE, builder.attributes()));
      try (Primitive primitive = builder.compile()) {
        primitive.begin().with(source).with(target).run();
      }
    }
  }
}
