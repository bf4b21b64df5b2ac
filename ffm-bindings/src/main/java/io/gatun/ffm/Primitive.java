package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import io.gatun.ffm.onednn.dnnl_exec_arg_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.List;

/// A compiled oneDNN operation. Threads run it at once, each with a [Call] of its own: a memory
/// object per argument, which a run points at its segments. Calls are kept and used again, so that
/// a warm run allocates nothing. Closing waits for nobody: what is in use goes when it is given
/// back.
final class Primitive implements AutoCloseable {
  /// One argument.
  ///
  /// @param id `DNNL_ARG_...`
  /// @param descriptor its memory descriptor, which the primitive takes over
  /// @param bytes the least that its segment must have
  record Argument(int id, MemorySegment descriptor, long bytes) {}

  private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

  private final MemorySegment handle;
  private final List<Argument> arguments;
  private final Argument scratchpad;
  private final ArrayDeque<Call> idle = new ArrayDeque<>();
  private int running;
  private boolean closed;
  private volatile long lastUse = System.nanoTime();

  /// Takes over the descriptors of `arguments`; `descriptor` stays the caller's.
  Primitive(MemorySegment descriptor, List<Argument> arguments) {
    this.arguments = List.copyOf(arguments);
    this.handle = Dnn.create("a primitive", p -> Dnnl.dnnl_primitive_create(p, descriptor));
    MemorySegment scratch =
        Dnnl.dnnl_primitive_desc_query_md(descriptor, Dnnl.dnnl_query_scratchpad_md(), 0);
    long bytes = scratch.equals(MemorySegment.NULL) ? 0 : Dnnl.dnnl_memory_desc_get_size(scratch);
    this.scratchpad =
        bytes == 0
            ? null
            : new Argument(Dnnl.DNNL_ARG_SCRATCHPAD(), Dnn.cloneDescriptor(scratch), bytes);
  }

  /// Makes sure that oneDNN compiles for, and runs on, the calling thread alone.
  static void prepareThread() {
    SCRATCH.get();
  }

  long lastUse() {
    return lastUse;
  }

  /// A call for this thread, to be [run][Call#run()]; null if the primitive is closed.
  synchronized Call begin() {
    if (closed) {
      return null;
    }
    lastUse = System.nanoTime();
    running++;
    Call call = idle.pollLast();
    return call == null ? new Call() : call;
  }

  private synchronized void end(Call call) {
    running--;
    idle.addLast(call);
    if (closed) {
      release();
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    release();
  }

  private void release() {
    idle.forEach(Call::destroy);
    idle.clear();
    if (running == 0) {
      Dnn.check(Dnnl.dnnl_primitive_destroy(handle), "destroying a primitive");
      arguments.forEach(a -> Dnn.destroyDescriptor(a.descriptor()));
      if (scratchpad != null) {
        Dnn.destroyDescriptor(scratchpad.descriptor());
      }
    }
  }

  /// The arguments of one run.
  final class Call {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] memories;
    private final MemorySegment array;
    private final MemorySegment stream;
    private int next;

    private Call() {
      int count = arguments.size() + (scratchpad == null ? 0 : 1);
      memories = new MemorySegment[count];
      array = dnnl_exec_arg_t.allocateArray(count, arena);
      for (int i = 0; i < count; i++) {
        Argument argument = i < arguments.size() ? arguments.get(i) : scratchpad;
        memories[i] =
            Dnn.create(
                "a memory object",
                p ->
                    Dnnl.dnnl_memory_create(
                        p, argument.descriptor(), Dnn.ENGINE, MemorySegment.NULL));
        MemorySegment slot = dnnl_exec_arg_t.asSlice(array, i);
        dnnl_exec_arg_t.arg(slot, argument.id());
        dnnl_exec_arg_t.memory(slot, memories[i]);
      }
      stream =
          Dnn.create(
              "a stream",
              p -> Dnnl.dnnl_stream_create(p, Dnn.ENGINE, Dnnl.dnnl_stream_default_flags()));
    }

    /// Sets the next argument, in the order of the primitive's.
    Call with(MemorySegment segment) {
      if (next == arguments.size()) {
        abandon();
        throw new IllegalArgumentException(
            "the call needs %d operands, and more were given".formatted(arguments.size()));
      }
      Argument argument = arguments.get(next);
      if (segment == null || segment.byteSize() < argument.bytes()) {
        int index = next;
        abandon();
        throw new IllegalArgumentException(
            "operand %d of the call needs %d bytes; its segment has %s"
                .formatted(
                    index,
                    argument.bytes(),
                    segment == null ? "none (it is null)" : segment.byteSize()));
      }
      try {
        Dnn.check(Dnnl.dnnl_memory_set_data_handle(memories[next], segment), "setting an operand");
      } catch (RuntimeException e) {
        abandon();
        throw e;
      }
      next++;
      return this;
    }

    /// Runs the operation, and gives the call back.
    void run() {
      try {
        Scratch scratch = SCRATCH.get();
        if (next != arguments.size()) {
          throw new IllegalArgumentException(
              "the call needs %d operands, and has %d".formatted(arguments.size(), next));
        }
        if (scratchpad != null) {
          Dnn.check(
              Dnnl.dnnl_memory_set_data_handle(memories[next], scratch.atLeast(scratchpad.bytes())),
              "setting the scratchpad");
        }
        Dnn.check(
            Dnnl.dnnl_primitive_execute(handle, stream, memories.length, array),
            "running a primitive");
      } finally {
        abandon();
      }
    }

    private void abandon() {
      next = 0;
      end(this);
    }

    private void destroy() {
      Dnn.check(Dnnl.dnnl_stream_destroy(stream), "destroying a stream");
      for (MemorySegment memory : memories) {
        Dnn.check(Dnnl.dnnl_memory_destroy(memory), "destroying a memory object");
      }
      arena.close();
    }
  }

  /// A thread's scratch memory, which grows to what its largest primitive needs.
  private static final class Scratch {
    private MemorySegment segment = MemorySegment.NULL;

    Scratch() {
      NativeLibraries.initThread();
    }

    MemorySegment atLeast(long bytes) {
      if (segment.byteSize() < bytes) {
        // Doubled, so that the outgrown ones, which wait for the collector, are never more than it.
        segment = Arena.ofAuto().allocate(Math.max(bytes, 2 * segment.byteSize()), 4096);
      }
      return segment;
    }
  }
}
