package io.gatun.tensor.sequence;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/// What a model keeps of each sequence, and where it lies in memory.
///
/// A page holds [#PAGE] positions of every part that keeps keys and values, in runs: one for each
/// head of each part.
///
/// The recurrent tensors of all parts lie one after the other in one block of one run.
public final class CacheLayout {
  /// Positions in a page.
  public static final int PAGE = 64;

  private static final Set<DType.Plain> TYPES =
      EnumSet.of(DType.Plain.F32, DType.Plain.F16, DType.Plain.BF16, DType.Plain.I8);

  private final List<LayerState> states;
  private final DType.Plain dtype;
  private final long[] offsets;
  private final List<Long> pageRuns;
  private final long recurrentBytes;
  private final int window;

  /// @param states of the parts, in the order in which they run
  /// @param dtype of keys and values: F32, F16, BF16 or I8
  /// @throws IllegalArgumentException if the type is none of these, or a part shares what does not
  ///   come before it, or is not keys and values
  public CacheLayout(List<? extends LayerState> states, DType.Plain dtype) {
    if (!TYPES.contains(dtype)) {
      throw new IllegalArgumentException("cache type is " + dtype + "; need one of " + TYPES);
    }
    this.states = List.copyOf(states);
    this.dtype = dtype;
    offsets = new long[states.size()];
    var runs = new ArrayList<Long>();
    long recurrent = 0;
    int greatest = 0;
    boolean all = false;
    for (int i = 0; i < offsets.length; i++) {
      var state = this.states.get(i);
      // No switch over types: see Dequantize#toFloat.
      if (state instanceof KvLayout kv) {
        offsets[i] = runs.size();
        runs.addAll(Collections.nCopies(kv.heads(), align(KvPages.headBytes(kv, dtype))));
        greatest = Math.max(greatest, kv.window());
        all |= kv.window() == 0;
      } else if (state instanceof LayerState.Recurrent r) {
        offsets[i] = recurrent;
        recurrent += r.shapes().stream().mapToLong(CacheLayout::bytes).sum();
      } else if (state instanceof LayerState.SharedWith(int index)) {
        if (index < 0 || index >= i || !(this.states.get(index) instanceof KvLayout)) {
          throw new IllegalArgumentException(
              "part %d shares the keys and values of part %d; need one that comes before it and has its own"
                  .formatted(i, index));
        }
        offsets[i] = offsets[index];
      }
    }
    pageRuns = List.copyOf(runs);
    recurrentBytes = recurrent;
    window = all ? 0 : greatest;
  }

  private static long align(long bytes) {
    return bytes + 63 & -64;
  }

  static long bytes(Shape shape) {
    return align(4 * shape.size());
  }

  /// What each part keeps.
  public List<LayerState> states() {
    return states;
  }

  /// The type of keys and values.
  public DType.Plain dtype() {
    return dtype;
  }

  /// The bytes of [#PAGE] positions.
  public long pageBytes() {
    return pageRuns.stream().mapToLong(Long::longValue).sum();
  }

  /// The bytes of the recurrent tensors, which do not grow.
  public long recurrentBytes() {
    return recurrentBytes;
  }

  /// So many positions the next row sees at the most, its own included; 0 for all.
  int window() {
    return window;
  }

  /// The first page that a row after so many positions sees, if there are pages.
  public int firstPage(int positions) {
    return window > 0 ? Math.max(0, positions + 1 - window) / PAGE : 0;
  }

  /// The keys and values that a part reads.
  ///
  /// @throws IllegalArgumentException if it has none
  /// @throws IndexOutOfBoundsException if there is no such part
  public KvLayout kv(int part) {
    if (part < 0 || part >= offsets.length) {
      throw new IndexOutOfBoundsException(
          "part is %d; need 0..%d".formatted(part, offsets.length - 1));
    }
    if (states.get(part) instanceof LayerState.SharedWith(int index)) {
      return kv(index);
    }
    if (states.get(part) instanceof KvLayout kv) {
      return kv;
    }
    throw new IllegalArgumentException("part " + part + " keeps no keys and values");
  }

  /// The bytes of each run of a page.
  List<Long> pageRuns() {
    return pageRuns;
  }

  /// Where a part begins: the run of its first head, or a byte of the recurrent block.
  long at(int part) {
    return offsets[part];
  }
}
