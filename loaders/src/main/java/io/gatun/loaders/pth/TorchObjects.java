package io.gatun.loaders.pth;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The Python objects that a checkpoint may name, and nothing else: what [Unpickler] can make.
final class TorchObjects {
  /// PyTorch's own limit.
  private static final int MAX_DIMS = 64;

  private static final int MAX_DEVICE = 64;

  private static final Map<String, Object> ALLOWED = new LinkedHashMap<>();

  static {
    ALLOWED.put("collections.OrderedDict", Function.ORDERED_DICT);
    for (String module : List.of("builtins.", "__builtin__.")) {
      ALLOWED.put(module + "set", Function.SET);
      ALLOWED.put(module + "frozenset", Function.SET);
    }
    ALLOWED.put("torch.Size", Function.SIZE);
    ALLOWED.put("torch.device", Function.DEVICE);
    ALLOWED.put("_codecs.encode", Function.ENCODE);
    ALLOWED.put("torch._utils._rebuild_tensor", Function.REBUILD_TENSOR);
    ALLOWED.put("torch._utils._rebuild_tensor_v2", Function.REBUILD_TENSOR);
    ALLOWED.put("torch._utils._rebuild_tensor_v3", Function.REBUILD_TENSOR_V3);
    ALLOWED.put("torch._utils._rebuild_parameter", Function.REBUILD_PARAMETER);
    ALLOWED.put("torch._utils._rebuild_parameter_with_state", Function.REBUILD_PARAMETER);
    storage("Float", DType.Plain.F32);
    storage("Double", DType.Plain.F64);
    storage("Half", DType.Plain.F16);
    storage("BFloat16", DType.Plain.BF16);
    storage("Long", DType.Plain.I64);
    storage("Int", DType.Plain.I32);
    storage("Short", DType.Plain.I16);
    storage("Char", DType.Plain.I8);
    storage("Byte", DType.Plain.U8);
    storage("Bool", DType.Plain.BOOL);
    storage("ComplexFloat", DType.Plain.C64);
    ALLOWED.put("torch.storage.UntypedStorage", new StorageType(null));
    ALLOWED.put("torch.UntypedStorage", new StorageType(null));
    dtype(DType.Plain.F32, "float32", "float");
    dtype(DType.Plain.F64, "float64", "double");
    dtype(DType.Plain.F16, "float16", "half");
    dtype(DType.Plain.BF16, "bfloat16");
    dtype(DType.Plain.I64, "int64", "long");
    dtype(DType.Plain.I32, "int32", "int");
    dtype(DType.Plain.I16, "int16", "short");
    dtype(DType.Plain.I8, "int8");
    dtype(DType.Plain.U8, "uint8");
    dtype(DType.Plain.U16, "uint16");
    dtype(DType.Plain.U32, "uint32");
    dtype(DType.Plain.U64, "uint64");
    dtype(DType.Plain.BOOL, "bool");
    dtype(DType.Plain.C64, "complex64", "cfloat");
    dtype(DType.Plain.F8_E4M3, "float8_e4m3fn");
    dtype(DType.Plain.F8_E5M2, "float8_e5m2");
    dtype(DType.Plain.F8_E8M0, "float8_e8m0fnu");
  }

  /// Python's None.
  static final Object NONE =
      new Object() {
        @Override
        public String toString() {
          return "None";
        }
      };

  /// A class of storages; the dtype is null for untyped ones, which are counted in bytes.
  record StorageType(DType.Plain dtype) {}

  /// A storage by its key, of `elements` elements (bytes if `dtype` is null).
  record Storage(String key, DType.Plain dtype, long elements) {}

  /// A tensor in a storage; offset, shape and strides are in elements.
  record TorchTensor(
      Storage storage, DType.Plain dtype, long offset, List<Long> dims, List<Long> strides) {}

  /// A Python tuple, which is no list: it cannot be appended to.
  record Tuple(List<Object> items) {}

  /// What may be called.
  enum Function {
    ORDERED_DICT,
    SET,
    SIZE,
    DEVICE,
    ENCODE,
    REBUILD_TENSOR,
    REBUILD_TENSOR_V3,
    REBUILD_PARAMETER;

    /// Whether a call copies the sequence that it is given, which may be shared.
    boolean copies() {
      return this == ORDERED_DICT || this == SET || this == SIZE;
    }

    /// Calls the function.
    ///
    /// @throws IllegalArgumentException if the arguments are not what the function takes
    Object call(List<Object> args) {
      return switch (this) {
        case ORDERED_DICT -> orderedDict(args);
        case SET, SIZE -> args.isEmpty() ? new ArrayList<>() : new ArrayList<>(items(args, 0));
        case DEVICE -> device(args);
        case ENCODE, REBUILD_PARAMETER -> argument(args, 0, Object.class);
        case REBUILD_TENSOR -> tensor(args, null);
        case REBUILD_TENSOR_V3 -> tensor(args, argument(args, 6, DType.Plain.class));
      };
    }
  }

  private TorchObjects() {}

  private static void storage(String name, DType.Plain dtype) {
    ALLOWED.put("torch." + name + "Storage", new StorageType(dtype));
    ALLOWED.put("torch.cuda." + name + "Storage", new StorageType(dtype));
  }

  private static void dtype(DType.Plain dtype, String... names) {
    for (String name : names) {
      ALLOWED.put("torch." + name, dtype);
    }
  }

  /// The object of that full name, or null if checkpoints may not name it.
  static Object find(String name) {
    return ALLOWED.get(name);
  }

  /// The storage of a persistent id: ("storage", type, key, location, elements[, view]).
  ///
  /// @throws IllegalArgumentException if it is no such tuple
  static Storage storage(Object id) {
    if (!(id instanceof Tuple(var t)) || !"storage".equals(argument(t, 0, Object.class))) {
      throw new IllegalArgumentException("a persistent id is no storage");
    }
    if (t.size() > 5 && t.get(5) != NONE) {
      throw new IllegalArgumentException(
          "a storage is a view of another, as before PyTorch 0.4; save the file again with a newer"
              + " one");
    }
    long elements = argument(t, 4, Long.class);
    if (elements < 0) {
      throw new IllegalArgumentException("a storage has " + elements + " elements");
    }
    Object key = key(argument(t, 2, Object.class));
    return new Storage(key.toString(), argument(t, 1, StorageType.class).dtype, elements);
  }

  private static TorchTensor tensor(List<Object> args, DType.Plain given) {
    var storage = argument(args, 0, Storage.class);
    DType.Plain dtype = given == null ? storage.dtype : given;
    if (dtype == null) {
      throw new IllegalArgumentException("a tensor in an untyped storage has no type");
    }
    int last = given == null ? 6 : 7;
    if (args.size() > last && args.get(last) instanceof Map<?, ?> bits && !bits.isEmpty()) {
      throw new IllegalArgumentException(
          "a tensor is a conjugated or negated view; save it with resolve_conj() and"
              + " resolve_neg()");
    }
    return new TorchTensor(
        storage, dtype, argument(args, 1, Long.class), longs(args, 2), longs(args, 3));
  }

  private static Map<Object, Object> orderedDict(List<Object> args) {
    var dict = new LinkedHashMap<>();
    if (!args.isEmpty()) {
      for (Object pair : items(args, 0)) {
        List<Object> items = items(List.of(pair), 0);
        dict.put(key(argument(items, 0, Object.class)), argument(items, 1, Object.class));
      }
    }
    return dict;
  }

  private static String device(List<Object> args) {
    String type = argument(args, 0, String.class);
    if (type.length() > MAX_DEVICE) {
      throw new IllegalArgumentException(
          "the name of a device has %d characters".formatted(type.length()));
    }
    return args.size() > 1 ? type + ":" + argument(args, 1, Long.class) : type;
  }

  /// A dictionary key, which must be something whose hash and string cannot run in circles.
  static Object key(Object o) {
    if (o instanceof String || o instanceof Long || o instanceof Double || o instanceof Boolean) {
      return o;
    }
    throw new IllegalArgumentException("a dictionary key that is no string or number");
  }

  private static List<Long> longs(List<Object> args, int index) {
    List<Object> items = items(args, index);
    if (items.size() > MAX_DIMS) {
      throw new IllegalArgumentException(
          "a tensor has %d dimensions; at most %d are read".formatted(items.size(), MAX_DIMS));
    }
    var longs = new ArrayList<Long>(items.size());
    for (int i = 0; i < items.size(); i++) {
      longs.add(argument(items, i, Long.class));
    }
    return longs;
  }

  /// How many values the sequence has that a function is given first; 0 for none.
  static int length(List<Object> args) {
    return switch (args.isEmpty() ? null : args.getFirst()) {
      case Tuple(var items) -> items.size();
      case List<?> items -> items.size();
      case null, default -> 0;
    };
  }

  @SuppressWarnings("unchecked")
  private static List<Object> items(List<Object> args, int index) {
    return switch (argument(args, index, Object.class)) {
      case Tuple(var items) -> items;
      case List<?> items -> (List<Object>) items;
      default -> throw new IllegalArgumentException("argument " + index + " is no sequence");
    };
  }

  private static <T> T argument(List<Object> args, int index, Class<T> type) {
    if (index >= args.size() || !type.isInstance(args.get(index))) {
      throw new IllegalArgumentException(
          "argument %d is missing or no %s".formatted(index, type.getSimpleName()));
    }
    return type.cast(args.get(index));
  }
}
