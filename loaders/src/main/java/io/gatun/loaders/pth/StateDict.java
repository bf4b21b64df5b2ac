package io.gatun.loaders.pth;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.file.SourceFile;
import io.gatun.loaders.pth.TorchObjects.TorchTensor;
import io.gatun.loaders.pth.TorchObjects.Tuple;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Turns what was pickled into flat tensors and metadata.
///
/// The keys of nested dictionaries and the indices of lists with tensors are joined by dots. Where
/// the outermost dictionary holds no tensors itself but wraps the model's under one of the usual
/// keys ([#WRAPPERS]), that key is left out of the names, as everyone expects.
final class StateDict {
  private static final List<String> WRAPPERS =
      List.of("state_dict", "model_state_dict", "model", "module", "params_ema", "params");

  private static final int MAX_DEPTH = 64;
  private static final int MAX_NAME = 4096;

  /// About what a value takes of the heap where it unfolds, as an item, an entry or a tensor:
  /// references are shared in a pickle, so that small files could unfold without end.
  private static final int NODE = 16;

  private static final int ENTRY = 64;
  private static final int TENSOR = 256;

  private final SourceFile file;
  private final Map<String, TorchTensor> tensors = new LinkedHashMap<>();
  private final Map<String, Object> metadata = new LinkedHashMap<>();

  /// Which containers have tensors in them: asked at every level, but found out once.
  private final IdentityHashMap<Object, Boolean> withTensors = new IdentityHashMap<>();

  /// @throws CheckpointException if the pickled object unfolds too far, or two names collide
  StateDict(SourceFile file, Object pickled) {
    this.file = file;
    Object wrapped = null;
    if (pickled instanceof Map<?, ?> map && map.values().stream().noneMatch(this::isTensor)) {
      for (String wrapper : WRAPPERS) {
        if (map.get(wrapper) instanceof Map<?, ?> inner && hasTensors(inner, 0)) {
          wrapped = inner;
          break;
        }
      }
    }
    if (wrapped == null) {
      flatten("", pickled, 0, null);
    } else {
      flatten("", wrapped, 0, null);
      flatten("", pickled, 0, wrapped);
    }
  }

  Map<String, TorchTensor> tensors() {
    return tensors;
  }

  Map<String, Object> metadata() {
    return metadata;
  }

  private boolean isTensor(Object o) {
    return o instanceof TorchTensor;
  }

  private boolean hasTensors(Object o, int depth) {
    check("", depth);
    return switch (o) {
      case TorchTensor _ -> true;
      case Map<?, ?> map -> hasTensors(map, map.values(), depth);
      case List<?> list -> hasTensors(list, list, depth);
      case Tuple(var items) -> hasTensors(items, items, depth);
      default -> false;
    };
  }

  private boolean hasTensors(Object container, Collection<?> values, int depth) {
    Boolean known = withTensors.get(container);
    if (known == null) {
      known = values.stream().anyMatch(v -> hasTensors(v, depth + 1));
      withTensors.put(container, known);
    }
    return known;
  }

  private void flatten(String name, Object o, int depth, Object except) {
    check(name, depth);
    switch (o) {
      case TorchTensor tensor -> put(tensors, name.isEmpty() ? "tensor" : name, tensor);
      case Map<?, ?> map ->
          map.forEach(
              (key, value) -> {
                if (value != except) {
                  flatten(join(name, key), value, depth + 1, null);
                }
              });
      case List<?> list -> flattenList(name, list, depth);
      case Tuple(var items) -> flattenList(name, items, depth);
      default -> put(metadata, name, plain(o, depth));
    }
  }

  private void flattenList(String name, List<?> list, int depth) {
    if (!hasTensors(list, depth)) {
      put(metadata, name, plain(list, depth));
      return;
    }
    for (int i = 0; i < list.size(); i++) {
      flatten(join(name, i), list.get(i), depth + 1, null);
    }
  }

  /// A value without tensors in it, as unmodifiable Java objects; None is null.
  private Object plain(Object o, int depth) {
    check("", depth);
    return switch (o) {
      case Map<?, ?> map -> {
        var copy = new LinkedHashMap<String, Object>();
        file.spend((long) ENTRY * map.size());
        map.forEach((key, value) -> copy.put(key.toString(), plain(value, depth + 1)));
        yield Collections.unmodifiableMap(copy);
      }
      case List<?> list -> plainList(list, depth);
      case Tuple(var items) -> plainList(items, depth);
      case DType dtype -> dtype.name();
      case String _, Number _, Boolean _ -> o;
      default -> o == TorchObjects.NONE ? null : o.getClass().getSimpleName();
    };
  }

  private List<Object> plainList(List<?> list, int depth) {
    var copy = new ArrayList<>(list.size());
    list.forEach(item -> copy.add(plain(item, depth + 1)));
    return Collections.unmodifiableList(copy);
  }

  private String join(String name, Object key) {
    return name.isEmpty() ? key.toString() : name + "." + key;
  }

  private <T> void put(Map<String, T> into, String name, T value) {
    if (tensors.containsKey(name) || metadata.containsKey(name)) {
      throw file.error("\"%s\" is in the file twice".formatted(name));
    }
    file.spend(into == tensors ? TENSOR : ENTRY);
    into.put(name, value);
  }

  private void check(String name, int depth) {
    if (depth > MAX_DEPTH || name.length() > MAX_NAME) {
      throw file.error(
          "dictionaries and lists nested deeper than %d, or names longer than %d: damaged or forged"
              .formatted(MAX_DEPTH, MAX_NAME));
    }
    file.spend(NODE + 2L * name.length());
  }
}
