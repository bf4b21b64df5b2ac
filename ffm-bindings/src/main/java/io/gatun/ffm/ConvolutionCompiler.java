package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Compiles convolutions. oneDNN names the dimensions of an image (N, C, H, W) wherever they lie.
final class ConvolutionCompiler {
  private ConvolutionCompiler() {}

  /// The primitive for `spec`; its arguments are source, weights, result, bias, post-ops' operands.
  static Primitive compile(ConvolutionSpec spec) {
    try (var builder = new PrimitiveBuilder(spec)) {
      PackedLayout layout = spec.layout();
      MemorySegment weights = Dnn.cloneDescriptor(layout.descriptor());
      return describe(builder, spec, weights, layout.byteSize()).compile();
    }
  }

  /// A copy of the descriptor of the layout that suits `spec` best.
  static MemorySegment bestLayout(ConvolutionSpec spec) {
    try (var builder = new PrimitiveBuilder(spec)) {
      return describe(builder, spec, Dnn.anyLayout(spec.weights(), weightDims(spec)), 0)
          .query(Dnnl.dnnl_query_weights_md());
    }
  }

  /// The weights' dimensions as they are stored before packing.
  static long[] weightDims(ConvolutionSpec spec) {
    return new long[] {
      spec.outChannels(), spec.inChannels(), spec.kernelHeight(), spec.kernelWidth()
    };
  }

  private static PrimitiveBuilder describe(
      PrimitiveBuilder builder, ConvolutionSpec s, MemorySegment weights, long weightBytes) {
    int n = s.batch();
    int c = s.outChannels();
    int h = s.outHeight();
    int w = s.outWidth();
    MemorySegment src =
        image(builder, Dnnl.DNNL_ARG_SRC(), s.src(), n, s.inChannels(), s.height(), s.width());
    builder.argument(Dnnl.DNNL_ARG_WEIGHTS(), weights, weightBytes);
    MemorySegment dst = image(builder, Dnnl.DNNL_ARG_DST(), s.dst(), n, c, h, w);
    MemorySegment bias =
        s.bias() == null ? MemorySegment.NULL : builder.dense(Dnnl.DNNL_ARG_BIAS(), s.bias(), c);
    builder.postOps(
        s.postOps(),
        (id, type, extent) ->
            switch (extent) {
              case EVERY_ELEMENT -> image(builder, id, type, n, c, h, w);
              case PER_COLUMN -> image(builder, id, type, 1, c, 1, 1);
            });
    ConvolutionSpec.Padding p = s.padding();
    try (var arena = Arena.ofConfined()) {
      MemorySegment strides = pair(arena, s.stride(), s.stride());
      MemorySegment dilations = pair(arena, 0, 0);
      MemorySegment before = pair(arena, p.top(), p.left());
      MemorySegment after = pair(arena, p.bottom(), p.right());
      return builder.describe(
          result ->
              Dnnl.dnnl_convolution_forward_primitive_desc_create(
                  result,
                  Dnn.ENGINE,
                  Dnnl.dnnl_forward_inference(),
                  Dnnl.dnnl_convolution_direct(),
                  src,
                  weights,
                  bias,
                  dst,
                  strides,
                  dilations,
                  before,
                  after,
                  builder.attributes()));
    }
  }

  /// Adds an argument of `dims` (n, c, h, w) that lies as (n, h, w, c).
  private static MemorySegment image(
      PrimitiveBuilder builder, int id, ElementType type, long n, long c, long h, long w) {
    MemorySegment descriptor =
        Dnn.descriptor(type, new long[] {n, c, h, w}, new long[] {h * w * c, 1, w * c, c});
    return builder.argument(id, descriptor, n * h * w * c * type.bytes());
  }

  private static MemorySegment pair(Arena arena, long first, long second) {
    return arena.allocateFrom(ValueLayout.JAVA_LONG, first, second);
  }
}
