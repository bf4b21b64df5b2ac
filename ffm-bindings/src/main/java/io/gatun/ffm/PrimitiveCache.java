package io.gatun.ffm;

import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/// The compiled primitives, by their specification; the least recently used goes when there are too
/// many.
final class PrimitiveCache {
  private final Map<Object, Primitive> primitives = new ConcurrentHashMap<>();
  private final int capacity;

  PrimitiveCache(int capacity) {
    this.capacity = capacity;
  }

  int size() {
    return primitives.size();
  }

  /// A call of the primitive for `spec`, which is compiled if it is not there.
  <S> Primitive.Call begin(S spec, Function<S, Primitive> compile) {
    while (true) {
      Primitive primitive = primitives.get(spec);
      if (primitive == null) {
        primitive = primitives.computeIfAbsent(spec, s -> compile.apply(spec));
        evict();
      }
      Primitive.Call call = primitive.begin();
      if (call != null) {
        return call;
      }
      // Another thread evicted it between the lookup and the call.
    }
  }

  private synchronized void evict() {
    while (primitives.size() > capacity) {
      var oldest =
          primitives.entrySet().stream()
              .min(Comparator.comparingLong(entry -> entry.getValue().lastUse()))
              .orElseThrow();
      if (primitives.remove(oldest.getKey(), oldest.getValue())) {
        oldest.getValue().close();
      }
    }
  }
}
