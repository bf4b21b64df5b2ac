package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What the compilers of matrix products and convolutions have in common: the attributes, and the
/// list of arguments. It destroys what it made if the primitive cannot be compiled.
final class PrimitiveBuilder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PrimitiveBuilder.class);

  private final Object spec;
  private final List<Primitive.Argument> arguments = new ArrayList<>();
  private final MemorySegment attributes =
      Dnn.create("attributes", Dnnl::dnnl_primitive_attr_create);
  private MemorySegment descriptor = MemorySegment.NULL;
  private boolean compiled;

  PrimitiveBuilder(Object spec) {
    this.spec = spec;
    Primitive.prepareThread();
    Dnn.check(
        Dnnl.dnnl_primitive_attr_set_scratchpad_mode(attributes, Dnnl.dnnl_scratchpad_mode_user()),
        "setting the scratchpad mode");
  }

  MemorySegment attributes() {
    return attributes;
  }

  /// Adds an argument, in the order in which a call gives its segments.
  MemorySegment argument(int id, MemorySegment memoryDescriptor, long bytes) {
    arguments.add(new Primitive.Argument(id, memoryDescriptor, bytes));
    return memoryDescriptor;
  }

  /// The memory descriptor of an argument.
  MemorySegment descriptor(int index) {
    return arguments.get(index).descriptor();
  }

  /// Adds an argument that lies row-major without gaps.
  MemorySegment dense(int id, ElementType type, long... dims) {
    long[] strides = new long[dims.length];
    long size = 1;
    for (int i = dims.length - 1; i >= 0; i--) {
      strides[i] = size;
      size *= dims[i];
    }
    return argument(id, Dnn.descriptor(type, dims, strides), size * type.bytes());
  }

  /// Adds the post-ops and their operands.
  ///
  /// @param shape makes the argument that a binary post-op reads
  void postOps(List<PostOp> list, OperandShape shape) {
    if (list.isEmpty()) {
      return;
    }
    MemorySegment ops = Dnn.create("post-ops", Dnnl::dnnl_post_ops_create);
    try {
      for (int i = 0; i < list.size(); i++) {
        int id = Dnnl.DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE() * (i + 1) | Dnnl.DNNL_ARG_SRC_1();
        Dnn.check(append(ops, list.get(i), id, shape), "adding", list.get(i), "to", spec);
      }
      Dnn.check(Dnnl.dnnl_primitive_attr_set_post_ops(attributes, ops), "setting post-ops");
    } finally {
      Dnn.check(Dnnl.dnnl_post_ops_destroy(ops), "destroying post-ops");
    }
  }

  /// How the operand of a binary post-op becomes an argument, whose descriptor it returns.
  interface OperandShape {
    MemorySegment add(int id, ElementType type, PostOp.Binary.Extent extent);
  }

  private static int append(MemorySegment ops, PostOp op, int id, OperandShape shape) {
    return switch (op) {
      case PostOp.Accumulate() ->
          Dnnl.dnnl_post_ops_append_sum(ops, 1f, 0, Dnnl.dnnl_data_type_undef());
      case PostOp.Activation activation ->
          Dnnl.dnnl_post_ops_append_eltwise(ops, activation.algorithm, activation.alpha(), 0f);
      case PostOp.Binary(PostOp.Binary.Op kind, ElementType type, PostOp.Binary.Extent extent) ->
          Dnnl.dnnl_post_ops_append_binary(ops, kind.algorithm, shape.add(id, type, extent));
    };
  }

  /// Describes the primitive by a `dnnl_..._primitive_desc_create` function.
  ///
  /// @throws UnsupportedOperationException if oneDNN cannot do this here
  PrimitiveBuilder describe(ToIntFunction<MemorySegment> function) {
    descriptor = Dnn.create(spec, function);
    return this;
  }

  /// A copy of the descriptor of an argument as the described primitive wants it.
  MemorySegment query(int what) {
    return Dnn.cloneDescriptor(Dnnl.dnnl_primitive_desc_query_md(descriptor, what, 0));
  }

  /// Compiles what was described.
  Primitive compile() {
    String implementation = implementation();
    if (implementation.startsWith("ref")) {
      LOG.warn("oneDNN has only its slow reference code ({}) for {}", implementation, spec);
    } else {
      LOG.debug("oneDNN runs {} with {}", spec, implementation);
    }
    var primitive = new Primitive(descriptor, arguments);
    compiled = true;
    return primitive;
  }

  private String implementation() {
    MemorySegment name =
        Dnn.create(
            "the implementation's name",
            p -> Dnnl.dnnl_primitive_desc_query(descriptor, Dnnl.dnnl_query_impl_info_str(), 0, p));
    return name.reinterpret(Long.MAX_VALUE).getString(0);
  }

  @Override
  public void close() {
    if (!compiled) {
      arguments.forEach(argument -> Dnn.destroyDescriptor(argument.descriptor()));
    }
    if (!descriptor.equals(MemorySegment.NULL)) {
      Dnn.check(Dnnl.dnnl_primitive_desc_destroy(descriptor), "destroying a description");
    }
    Dnn.check(Dnnl.dnnl_primitive_attr_destroy(attributes), "destroying attributes");
  }
}
