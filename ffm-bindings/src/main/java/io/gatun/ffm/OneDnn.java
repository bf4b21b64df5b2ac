package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;

/// Calls into oneDNN, which has fast bf16 and int8 products and convolutions.
///
/// An operation is described once by a specification; the first call compiles a primitive for it,
/// which takes milliseconds, and later calls find it by the specification. Each call runs on the
/// calling thread alone, several threads may call at once, and a warm call allocates nothing.
/// Segments are native, and stay alive until the call returns.
public final class OneDnn {
  private static final NativeLibrary LIBRARY = NativeLibraries.oneDnn();
  private static final CpuIsa ISA = LIBRARY.isLoaded() ? CpuIsa.effective() : CpuIsa.DEFAULT;
  private static final PrimitiveCache PRIMITIVES = new PrimitiveCache(1024);

  /// Asking oneDNN takes longer than a small product.
  private static final Map<Record, PackedLayout> LAYOUTS = new ConcurrentHashMap<>();

  private static final int MOST_LAYOUTS = 4096;

  private OneDnn() {}

  /// Whether oneDNN is loaded; otherwise every call here but [#supports] is an error.
  ///
  /// @throws IllegalArgumentException if `-Dgatun.onednn` names something else
  public static boolean isAvailable() {
    return NativeLibraries.isUsable(LIBRARY);
  }

  /// Why oneDNN is not available; empty where it is.
  public static String problem() {
    return LIBRARY.problem();
  }

  /// How many operations are compiled at present.
  public static int compiled() {
    return PRIMITIVES.size();
  }

  /// Whether products of this type are faster here than those of f32: whether the CPU has
  /// instructions for them that oneDNN uses. False where oneDNN is not available.
  public static boolean supports(ElementType type) {
    if (!isAvailable()) {
      return false;
    }
    return switch (type) {
      case F32 -> true;
      case BF16 -> ISA.hasBf16();
      case S8, U8 -> ISA.hasInt8();
      case F16 -> ISA.hasF16();
      case S32 -> false;
    };
  }

  /// C = A B, as `spec` says. Types that go together: f32 with f32, bf16 with bf16 (C in bf16 or
  /// f32), u8 or s8 with s8 (C in s32, f32 or bf16).
  ///
  /// With AMX, oneDNN 3.11 reads on between the rows of a bf16 A whose lda is greater than k, up to
  /// a multiple of 32 elements, and multiplies what lies there by 0: it must not be NaN or
  /// infinite.
  ///
  /// @throws IllegalArgumentException if a segment is smaller than its matrix
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public static void matmul(MatmulSpec spec, MemorySegment a, MemorySegment b, MemorySegment c) {
    matmul(spec, a, b, c, Operands.NONE);
  }

  /// C = op(A B + bias), as `spec` says.
  ///
  /// @throws IllegalArgumentException if a segment is smaller than its operand, or there are fewer
  ///   or more operands than `spec` names
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public static void matmul(
      MatmulSpec spec, MemorySegment a, MemorySegment b, MemorySegment c, Operands operands) {
    requireAvailable();
    if (spec.m() == 0 || spec.n() == 0) {
      return;
    }
    checkOperands(spec.bias(), operands);
    run(PRIMITIVES.begin(spec, MatmulCompiler::compile), a, b, c, operands);
  }

  /// The layout of B in which `spec` runs fastest. It suits other numbers of rows too, though
  /// perhaps not as well: ask with the rows that matter most. Asking again costs next to nothing.
  ///
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public static PackedLayout packedLayout(MatmulSpec spec) {
    return layout(spec, MatmulCompiler::bestLayout);
  }

  /// Copies B, which lies as `spec` says in elements of type `stored`, into another layout, for
  /// calls with `spec.withLayout(layout)`.
  ///
  /// @throws IllegalArgumentException if `spec`'s layout is a packed one, or a segment is too small
  /// @throws UnsupportedOperationException if oneDNN cannot convert from `stored` here
  public static void pack(
      MatmulSpec spec,
      ElementType stored,
      MemorySegment b,
      PackedLayout layout,
      MemorySegment packed) {
    requireAvailable();
    if (!(spec.layout() instanceof WeightLayout.Rows rows)) {
      throw new IllegalArgumentException("only weights stored in rows can be packed: " + spec);
    }
    reorder(
        new Packing(List.of(spec.k(), spec.n()), stored, rows, layout),
        builder -> MatmulCompiler.rows(builder, Dnnl.DNNL_ARG_FROM(), stored, spec, rows),
        b,
        packed);
  }

  /// The result of a convolution, as `spec` says. Types that go together are those of [#matmul].
  ///
  /// @param weights packed in `spec`'s layout
  /// @throws IllegalArgumentException if `spec` has no layout, a segment is smaller than its
  ///   operand, or there are fewer or more operands than `spec` names
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public static void convolution(
      ConvolutionSpec spec,
      MemorySegment src,
      MemorySegment weights,
      MemorySegment dst,
      Operands operands) {
    requireAvailable();
    if (spec.layout() == null) {
      throw new IllegalArgumentException("pack the weights, and name their layout: " + spec);
    }
    checkOperands(spec.bias(), operands);
    run(PRIMITIVES.begin(spec, ConvolutionCompiler::compile), src, weights, dst, operands);
  }

  /// The layout of the weights in which `spec` runs fastest. It suits other sizes of the image too,
  /// though perhaps not as well.
  ///
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  public static PackedLayout packedLayout(ConvolutionSpec spec) {
    return layout(spec, ConvolutionCompiler::bestLayout);
  }

  private static <S extends Record> PackedLayout layout(S spec, Function<S, MemorySegment> best) {
    requireAvailable();
    PackedLayout known = LAYOUTS.get(spec);
    if (known == null) {
      if (LAYOUTS.size() >= MOST_LAYOUTS) {
        LAYOUTS.clear();
      }
      known = PackedLayout.of(best.apply(spec));
      LAYOUTS.put(spec, known);
    }
    return known;
  }

  /// Copies a convolution's weights (outChannels, inChannels, kernelHeight, kernelWidth) of type
  /// `stored` into another layout, for calls with `spec.withLayout(layout)`, or, of some channels,
  /// into a [part][PackedLayout#part] of it.
  ///
  /// @throws IllegalArgumentException if a segment is too small
  /// @throws UnsupportedOperationException if oneDNN cannot convert from `stored` here
  public static void pack(
      ElementType stored, MemorySegment weights, PackedLayout layout, MemorySegment packed) {
    requireAvailable();
    long[] dims = layout.dims();
    reorder(
        new Packing(Arrays.stream(dims).boxed().toList(), stored, null, layout),
        builder -> builder.dense(Dnnl.DNNL_ARG_FROM(), stored, dims),
        weights,
        packed);
  }

  /// A copy into another layout.
  ///
  /// @param dims of the operand
  /// @param rows how it lies; null if dense
  private record Packing(
      List<? extends Number> dims, ElementType stored, WeightLayout.Rows rows, PackedLayout to) {}

  private static void reorder(
      Packing packing,
      Consumer<PrimitiveBuilder> source,
      MemorySegment from,
      MemorySegment target) {
    Primitive.Call call =
        PRIMITIVES.begin(
            packing,
            p -> {
              try (var builder = new PrimitiveBuilder(p)) {
                source.accept(builder);
                builder.argument(
                    Dnnl.DNNL_ARG_TO(), Dnn.cloneDescriptor(p.to.descriptor()), p.to.byteSize());
                builder.describe(
                    result ->
                        Dnnl.dnnl_reorder_primitive_desc_create(
                            result,
                            builder.descriptor(0),
                            Dnn.ENGINE,
                            builder.descriptor(1),
                            Dnn.ENGINE,
                            builder.attributes()));
                return builder.compile();
              }
            });
    try {
      call.with(from).with(target).run();
    } finally {
      Reference.reachabilityFence(from);
      Reference.reachabilityFence(target);
    }
  }

  private static void checkOperands(ElementType bias, Operands operands) {
    if ((bias == null) != (operands.bias() == null)) {
      throw new IllegalArgumentException(
          "the operation has %s bias; the operands given are %s"
              .formatted(bias == null ? "no" : "a", operands));
    }
  }

  // The compilers list the arguments in this order.
  private static void run(
      Primitive.Call call, MemorySegment a, MemorySegment b, MemorySegment c, Operands operands) {
    try {
      call.with(a).with(b).with(c);
      if (operands.bias() != null) {
        call.with(operands.bias());
      }
      for (int i = 0; i < operands.postOps().size(); i++) {
        call.with(operands.postOps().get(i));
      }
      call.run();
    } finally {
      // oneDNN has only their addresses.
      Reference.reachabilityFence(a);
      Reference.reachabilityFence(b);
      Reference.reachabilityFence(c);
      Reference.reachabilityFence(operands);
    }
  }

  private static void requireAvailable() {
    if (!isAvailable()) {
      throw new IllegalStateException("oneDNN is not available: " + LIBRARY.problem());
    }
  }
}
