package io.gatun.spark;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;

/// Outcomes of values that are computed some at a time.
final class Batches implements Iterator<Outcome> {
  /// Computes some values.
  interface Work {
    /// Their outcomes, in turn.
    ///
    /// @param first the place of the first in its partition
    List<Outcome> apply(List<Object> values, long first);
  }

  private final Iterator<Object> values;
  private final int size;
  private final Work work;
  private final Queue<Outcome> ready = new ArrayDeque<>();
  private long row;

  Batches(Iterator<Object> values, int size, Work work) {
    this.values = values;
    this.size = size;
    this.work = work;
  }

  @Override
  public boolean hasNext() {
    return !ready.isEmpty() || values.hasNext();
  }

  @Override
  public Outcome next() {
    if (ready.isEmpty()) {
      var batch = new ArrayList<Object>();
      while (batch.size() < size && values.hasNext()) {
        batch.add(values.next());
      }
      if (batch.isEmpty()) {
        throw new NoSuchElementException();
      }
      ready.addAll(work.apply(batch, row));
      row += batch.size();
    }
    return ready.remove();
  }
}
