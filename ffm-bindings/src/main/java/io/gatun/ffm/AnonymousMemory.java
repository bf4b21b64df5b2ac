package io.gatun.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// Memory straight from the system (`mmap`), which makes its pages as they are first touched: an
/// arena's is written with zeros at once, by one thread, and takes its room in small pages.
final class AnonymousMemory {
  static final long HUGE_PAGE = 2L << 20;
  private static final int PROT_READ_WRITE = 3;
  private static final int MAP_PRIVATE = 2;
  private static final boolean LINUX = Platform.current().os().equals("linux");
  private static final int MAP_ANONYMOUS = LINUX ? 0x20 : 0x1000;
  private static final MemorySegment MAP_FAILED = MemorySegment.ofAddress(-1);

  /// Loaded with the first call; elsewhere than on Linux and macOS never.
  private static final class Functions {
    static final MethodHandle MMAP =
        handle(
            "mmap",
            FunctionDescriptor.of(
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG));
    static final MethodHandle MUNMAP =
        handle(
            "munmap",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
      var linker = Linker.nativeLinker();
      return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
  }

  private AnonymousMemory() {}

  /// Zeros, in huge pages where the system has them.
  ///
  /// @throws OutOfMemoryError if the system gives no more
  static MemorySegment map(long bytes, Arena arena) {
    if (Platform.current().os().equals("windows")) {
      return arena.allocate(bytes, HUGE_PAGE);
    }
    long mapped = Math.addExact(bytes, HUGE_PAGE);
    MemorySegment start = map(mapped);
    if (start.equals(MAP_FAILED)) {
      throw new OutOfMemoryError("the system gives no %,d bytes of memory".formatted(bytes));
    }
    long address = start.address() + HUGE_PAGE - 1 & -HUGE_PAGE;
    var memory = reinterpret(address, bytes, arena, start, mapped);
    MemoryAdvice.hugePages(memory);
    return memory;
  }

  @SuppressWarnings("restricted") // within what was mapped, and unmapped when the arena is closed
  private static MemorySegment reinterpret(
      long address, long bytes, Arena arena, MemorySegment start, long mapped) {
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, _ -> unmap(start, mapped));
  }

  private static MemorySegment map(long bytes) {
    try {
      return (MemorySegment)
          Functions.MMAP.invokeExact(
              MemorySegment.NULL, bytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    } catch (Throwable e) {
      throw new LinkageError("mmap", e);
    }
  }

  private static void unmap(MemorySegment start, long bytes) {
    try {
      int status = (int) Functions.MUNMAP.invokeExact(start, bytes);
      assert status == 0;
    } catch (Throwable e) {
      throw new LinkageError("munmap", e);
    }
  }
}
