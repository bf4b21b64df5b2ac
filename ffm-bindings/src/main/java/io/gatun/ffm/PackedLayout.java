package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// A blocked layout that oneDNN chose for the weights of an operation on this machine, from
/// [OneDnn#packedLayout]. It means something only as long as the process runs. Equal layouts are
/// the same object; there are few of them, and they are kept.
public final class PackedLayout implements WeightLayout {
  private static final List<PackedLayout> KNOWN = new ArrayList<>();

  private final MemorySegment descriptor;
  private final long bytes;

  private PackedLayout(MemorySegment descriptor) {
    this.descriptor = descriptor;
    this.bytes = Dnnl.dnnl_memory_desc_get_size(descriptor);
  }

  /// The layout of this descriptor, which it takes over.
  static synchronized PackedLayout of(MemorySegment descriptor) {
    for (PackedLayout known : KNOWN) {
      if (Dnnl.dnnl_memory_desc_equal(known.descriptor, descriptor) != 0) {
        Dnn.destroyDescriptor(descriptor);
        return known;
      }
    }
    var layout = new PackedLayout(descriptor);
    KNOWN.add(layout);
    return layout;
  }

  /// The bytes that the packed weights take.
  public long byteSize() {
    return bytes;
  }

  MemorySegment descriptor() {
    return descriptor;
  }
}
