package io.gatun.tensor.sequence;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.function.IntFunction;

/// The keys and values that one part of a model keeps of a sequence, in pages of [CacheLayout#PAGE]
/// positions.
///
/// Within a page and head the keys lie transposed, (K, PAGE), and the values as they come, (PAGE,
/// V): so both products of attention run along memory. In a cache of 8-bit integers each key and
/// each value of a head has a scale of its own; the F32 scales (PAGE) of the keys and then of the
/// values follow the values.
///
/// @param dtype F32, F16, BF16 or I8
/// @param pages by their index
/// @param at where the part begins in each page, in bytes
/// @param isFinite whether all are numbers that the type can hold
/// @param notFinite called where one is stored that is none
public record KvPages(
    KvLayout kv,
    DType.Plain dtype,
    IntFunction<MemorySegment> pages,
    long at,
    boolean isFinite,
    Runnable notFinite) {
  /// What a part takes of each page.
  static long bytes(KvLayout kv, DType.Plain dtype) {
    return kv.heads() * headBytes(kv, dtype);
  }

  /// What a head takes of each page.
  public long headBytes() {
    return headBytes(kv, dtype);
  }

  private static long headBytes(KvLayout kv, DType.Plain dtype) {
    return elementBytes(kv.keyDim(), dtype)
        + elementBytes(kv.valueDim(), dtype)
        + (dtype == DType.Plain.I8 ? 2 * 4L * PAGE : 0);
  }

  private static long elementBytes(int columns, DType.Plain dtype) {
    return (long) PAGE * columns * dtype.blockBytes();
  }

  /// The page of the positions from `index * PAGE` on.
  public MemorySegment page(int index) {
    return pages.apply(index);
  }

  /// Whether keys and values are integers, of which each has a scale.
  public boolean hasScales() {
    return dtype == DType.Plain.I8;
  }

  /// Where a head's keys (K, PAGE) begin in a page, in bytes.
  public long keysAt(int head) {
    return at + head * headBytes();
  }

  /// Where a head's values (PAGE, V) begin in a page, in bytes.
  public long valuesAt(int head) {
    return keysAt(head) + elementBytes(kv.keyDim(), dtype);
  }

  /// Where the scales of a head's keys begin in a page, in bytes.
  public long keyScalesAt(int head) {
    return valuesAt(head) + elementBytes(kv.valueDim(), dtype);
  }

  /// Where the scales of a head's values begin in a page, in bytes.
  public long valueScalesAt(int head) {
    return keyScalesAt(head) + 4L * PAGE;
  }
}
