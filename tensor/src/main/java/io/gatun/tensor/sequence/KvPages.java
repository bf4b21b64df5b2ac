package io.gatun.tensor.sequence;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/// The keys and values that one part of a model keeps of a sequence, in pages of [CacheLayout#PAGE]
/// positions.
///
/// What a page has of a head lies together: the keys transposed, (K, PAGE), and the values as they
/// come, (PAGE, V), so that both products of attention run along memory. In a cache of 8-bit
/// integers each key and each value of a head has a scale of its own; the F32 scales (PAGE) of the
/// keys and then of the values follow the values.
public final class KvPages {
  private final Sequence sequence;
  private final KvLayout kv;
  private final DType.Plain dtype;
  private final int run;

  KvPages(Sequence sequence, int part) {
    this.sequence = sequence;
    var layout = sequence.layout();
    kv = layout.kv(part);
    dtype = layout.dtype();
    run = (int) layout.at(part);
  }

  /// What a head takes of each page.
  public long headBytes() {
    return headBytes(kv, dtype);
  }

  static long headBytes(KvLayout kv, DType.Plain dtype) {
    return elementBytes(kv.keyDim(), dtype)
        + elementBytes(kv.valueDim(), dtype)
        + (dtype == DType.Plain.I8 ? 2 * 4L * PAGE : 0);
  }

  private static long elementBytes(int columns, DType.Plain dtype) {
    return (long) PAGE * columns * dtype.blockBytes();
  }

  public KvLayout kv() {
    return kv;
  }

  /// F32, F16, BF16 or I8.
  public DType.Plain dtype() {
    return dtype;
  }

  /// Whether all are numbers that the type can hold.
  public boolean isFinite() {
    return sequence.isFinite();
  }

  /// To be called where one is stored that is none.
  public void notFinite() {
    sequence.notFinite();
  }

  /// Whether keys and values are integers, of which each has a scale.
  public boolean hasScales() {
    return dtype == DType.Plain.I8;
  }

  /// What holds the page of the positions from `index * PAGE` on, among others.
  public MemorySegment memory(int index) {
    return sequence.page(index).memory();
  }

  /// Where a head's keys (K, PAGE) begin in a page's memory, in bytes.
  public long keysAt(int index, int head) {
    return sequence.page(index).at(run + head);
  }

  /// Where a head's values (PAGE, V) begin in a page's memory, in bytes.
  public long valuesAt(int index, int head) {
    return keysAt(index, head) + elementBytes(kv.keyDim(), dtype);
  }

  /// Where the scales of a head's keys begin in a page's memory, in bytes.
  public long keyScalesAt(int index, int head) {
    return valuesAt(index, head) + elementBytes(kv.valueDim(), dtype);
  }

  /// Where the scales of a head's values begin in a page's memory, in bytes.
  public long valueScalesAt(int index, int head) {
    return keyScalesAt(index, head) + 4L * PAGE;
  }
}
