package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.MemorySegment;

/// Compiles matrix products.
final class MatmulCompiler {
  /// So many bytes of k one instruction of AMX multiplies.
  private static final int AMX_DEPTH = 64;

  private MatmulCompiler() {}

  /// The primitive for `spec`; its arguments are A, B, C, bias, post-ops' operands.
  static Primitive compile(MatmulSpec spec) {
    refuseWrong(spec);
    try (var builder = new PrimitiveBuilder(spec)) {
      return describe(builder, spec, spec.layout()).compile();
    }
  }

  // Seen with oneDNN 3.11 on CPUs with AMX; refused on all, so that no machine differs.
  private static void refuseWrong(MatmulSpec spec) {
    boolean int8 = spec.b() == ElementType.S8;
    boolean tail = spec.k() > AMX_DEPTH && spec.k() % AMX_DEPTH != 0;
    if (int8 && tail && spec.layout() instanceof WeightLayout.Rows rows && !rows.transposed()) {
      throw new UnsupportedOperationException(
          "oneDNN may multiply 8-bit matrices wrongly where B is not transposed and k=%d is no"
                  .formatted(spec.k())
              + " multiple of %d; store B transposed, or pack it: %s".formatted(AMX_DEPTH, spec));
    }
  }

  /// A copy of the descriptor of the layout that suits `spec` best, whatever its own is.
  static MemorySegment bestLayout(MatmulSpec spec) {
    try (var builder = new PrimitiveBuilder(spec)) {
      return describe(builder, spec, null).query(Dnnl.dnnl_query_weights_md());
    }
  }

  /// Adds B (k, n), stored in rows, as an argument.
  static MemorySegment rows(
      PrimitiveBuilder builder, int id, ElementType type, MatmulSpec spec, WeightLayout.Rows rows) {
    int ld = rows.ld();
    long[] dims = {spec.k(), spec.n()};
    return rows.transposed()
        ? builder.argument(
            id,
            Dnn.descriptor(type, dims, new long[] {1, ld}),
            matrixBytes(type, spec.n(), spec.k(), ld))
        : builder.argument(
            id,
            Dnn.descriptor(type, dims, new long[] {ld, 1}),
            matrixBytes(type, spec.k(), spec.n(), ld));
  }

  /// @param layout null to let oneDNN choose
  private static PrimitiveBuilder describe(
      PrimitiveBuilder builder, MatmulSpec spec, WeightLayout layout) {
    int m = spec.m();
    int n = spec.n();
    MemorySegment a =
        builder.argument(
            Dnnl.DNNL_ARG_SRC(),
            Dnn.descriptor(spec.a(), new long[] {m, spec.k()}, new long[] {spec.lda(), 1}),
            matrixBytes(spec.a(), m, spec.k(), spec.lda()));
    MemorySegment b =
        switch (layout) {
          case WeightLayout.Rows rows ->
              rows(builder, Dnnl.DNNL_ARG_WEIGHTS(), spec.b(), spec, rows);
          case PackedLayout packed ->
              builder.argument(
                  Dnnl.DNNL_ARG_WEIGHTS(),
                  Dnn.cloneDescriptor(packed.descriptor()),
                  packed.byteSize());
          case null ->
              builder.argument(Dnnl.DNNL_ARG_WEIGHTS(), Dnn.anyLayout(spec.b(), spec.k(), n), 0);
        };
    MemorySegment c =
        builder.argument(
            Dnnl.DNNL_ARG_DST(),
            Dnn.descriptor(spec.c(), new long[] {m, n}, new long[] {spec.ldc(), 1}),
            matrixBytes(spec.c(), m, n, spec.ldc()));
    MemorySegment bias =
        spec.bias() == null
            ? MemorySegment.NULL
            : builder.dense(Dnnl.DNNL_ARG_BIAS(), spec.bias(), 1, n);
    builder.postOps(
        spec.postOps(),
        (id, type, extent) ->
            switch (extent) {
              case EVERY_ELEMENT ->
                  builder.argument(
                      id,
                      Dnn.descriptor(type, new long[] {m, n}, new long[] {spec.ldc(), 1}),
                      matrixBytes(type, m, n, spec.ldc()));
              case PER_COLUMN -> builder.dense(id, type, 1, n);
            });
    return builder.describe(
        p ->
            Dnnl.dnnl_matmul_primitive_desc_create(
                p, Dnn.ENGINE, a, b, bias, c, builder.attributes()));
  }

  private static long matrixBytes(ElementType type, int rows, int cols, int ld) {
    return ((rows - 1L) * ld + cols) * type.bytes();
  }
}
