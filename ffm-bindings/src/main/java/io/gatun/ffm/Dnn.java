package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;

/// oneDNN's C conventions: status codes, results through pointers, objects to destroy.
final class Dnn {
  /// The CPU.
  static final MemorySegment ENGINE =
      create("an engine", p -> Dnnl.dnnl_engine_create(p, Dnnl.dnnl_cpu(), 0));

  private Dnn() {}

  /// The object that a `create` function stores through its first argument.
  static MemorySegment create(Object what, ToIntFunction<MemorySegment> function) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      check(function.applyAsInt(pointer), "creating", what);
      return pointer.get(ValueLayout.ADDRESS, 0);
    }
  }

  /// @param words what was tried, of which a text is made only if it failed
  /// @throws UnsupportedOperationException if oneDNN has no implementation of it
  static void check(int status, Object... words) {
    if (status == Dnnl.dnnl_success()) {
      return;
    }
    String what = Arrays.stream(words).map(Object::toString).collect(Collectors.joining(" "));
    if (status == Dnnl.dnnl_unimplemented()) {
      throw new UnsupportedOperationException(what + ": oneDNN does not implement this here");
    }
    throw new IllegalStateException(
        what + ": oneDNN returned " + status + " (" + describe(status) + ")");
  }

  private static String describe(int status) {
    if (status == Dnnl.dnnl_out_of_memory()) {
      return "out of memory";
    }
    return status == Dnnl.dnnl_invalid_arguments() ? "invalid arguments" : "an internal error";
  }

  /// The descriptor of a tensor with these dimensions and strides, counted in elements.
  static MemorySegment descriptor(ElementType type, long[] dims, long[] strides) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment d = arena.allocateFrom(ValueLayout.JAVA_LONG, dims);
      MemorySegment s = arena.allocateFrom(ValueLayout.JAVA_LONG, strides);
      return create(
          "a memory descriptor",
          p -> Dnnl.dnnl_memory_desc_create_with_strides(p, dims.length, d, type.code, s));
    }
  }

  /// The descriptor of a tensor whose layout oneDNN is to choose.
  static MemorySegment anyLayout(ElementType type, long... dims) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment d = arena.allocateFrom(ValueLayout.JAVA_LONG, dims);
      return create(
          "a memory descriptor",
          p ->
              Dnnl.dnnl_memory_desc_create_with_tag(
                  p, dims.length, d, type.code, Dnnl.dnnl_format_tag_any()));
    }
  }

  static MemorySegment cloneDescriptor(MemorySegment descriptor) {
    return create("a memory descriptor", p -> Dnnl.dnnl_memory_desc_clone(p, descriptor));
  }

  static void destroyDescriptor(MemorySegment descriptor) {
    check(Dnnl.dnnl_memory_desc_destroy(descriptor), "destroying a memory descriptor");
  }
}
