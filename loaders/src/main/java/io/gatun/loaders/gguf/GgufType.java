package io.gatun.loaders.gguf;

import io.gatun.tensor.DType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// The numbers by which GGUF names the types of values and of tensors.
///
/// Source: `docs/gguf.md` and `ggml.h` in <https://github.com/ggml-org/ggml>.
public enum GgufType {
  UINT8(0, 1),
  INT8(1, 1),
  UINT16(2, 2),
  INT16(3, 2),
  UINT32(4, 4),
  INT32(5, 4),
  FLOAT32(6, 4),
  BOOL(7, 1),
  STRING(8, 0),
  ARRAY(9, 0),
  UINT64(10, 8),
  INT64(11, 8),
  FLOAT64(12, 8);

  /// Tensor types by number; those that ggml removed or never gave are null.
  private static final DType[] TENSOR_TYPES = {
    DType.Plain.F32,
    DType.Plain.F16,
    DType.Block.Q4_0,
    DType.Block.Q4_1,
    null,
    null,
    DType.Block.Q5_0,
    DType.Block.Q5_1,
    DType.Block.Q8_0,
    DType.Block.Q8_1,
    DType.Block.Q2_K,
    DType.Block.Q3_K,
    DType.Block.Q4_K,
    DType.Block.Q5_K,
    DType.Block.Q6_K,
    DType.Block.Q8_K,
    DType.Block.IQ2_XXS,
    DType.Block.IQ2_XS,
    DType.Block.IQ3_XXS,
    DType.Block.IQ1_S,
    DType.Block.IQ4_NL,
    DType.Block.IQ3_S,
    DType.Block.IQ2_S,
    DType.Block.IQ4_XS,
    DType.Plain.I8,
    DType.Plain.I16,
    DType.Plain.I32,
    DType.Plain.I64,
    DType.Plain.F64,
    DType.Block.IQ1_M,
    DType.Plain.BF16,
    null,
    null,
    null,
    DType.Block.TQ1_0,
    DType.Block.TQ2_0,
    null,
    null,
    null,
    DType.Block.MXFP4,
    DType.Block.NVFP4,
    DType.Block.Q1_0,
    DType.Block.Q2_0,
  };

  private static final Map<DType, Integer> TENSOR_TYPE_NUMBERS = new HashMap<>();

  static {
    for (int i = 0; i < TENSOR_TYPES.length; i++) {
      if (TENSOR_TYPES[i] != null) {
        TENSOR_TYPE_NUMBERS.put(TENSOR_TYPES[i], i);
      }
    }
  }

  private final int number;
  private final int bytes;

  GgufType(int number, int bytes) {
    this.number = number;
    this.bytes = bytes;
  }

  /// The number that stands for the type in files.
  int number() {
    return number;
  }

  /// The bytes of a value; 0 for strings and arrays, which have no fixed size.
  public int bytes() {
    return bytes;
  }

  /// The value type of that number, or null.
  static GgufType of(int number) {
    return Arrays.stream(values()).filter(t -> t.number == number).findFirst().orElse(null);
  }

  /// The tensor type of that number, or null.
  static DType tensorType(int number) {
    return number >= 0 && number < TENSOR_TYPES.length ? TENSOR_TYPES[number] : null;
  }

  /// The number of a tensor type.
  ///
  /// @throws IllegalArgumentException if GGUF has no such type
  public static int number(DType dtype) {
    Integer number = TENSOR_TYPE_NUMBERS.get(dtype);
    if (number == null) {
      throw new IllegalArgumentException(
          "GGUF has no tensor type %s; it has %s"
              .formatted(
                  dtype.name(),
                  Arrays.stream(TENSOR_TYPES).filter(t -> t != null).map(DType::name).toList()));
    }
    return number;
  }
}
