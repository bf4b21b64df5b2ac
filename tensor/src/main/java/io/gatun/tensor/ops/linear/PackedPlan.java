package io.gatun.tensor.ops.linear;

import io.gatun.tensor.ops.context.Scratch;

/// Products with a weight that is packed for oneDNN, or that it finds where it lies: tasks of some
/// rows of activations and a block of the weight.
///
/// @param images of which a task's rows are, each, one
/// @param rows of an image
/// @param rowsPerTask the most of them that a task has
/// @param blocks of the weight
record PackedPlan(
    long images, long rows, long rowsPerTask, int blocks, long scratchBytes, Task task)
    implements LinearPlan {
  /// So many rows, or fewer, are any number.
  private static final int UNIT = 16;

  interface Task {
    /// Multiplies some rows with a block of the weight.
    void run(int worker, Scratch scratch, long image, long row, int count, int block);
  }

  /// As many of a task's `rows` as one call of oneDNN should have. Each number of rows is a
  /// primitive of its own, which takes milliseconds to compile, longer than most texts take: so
  /// there are few such numbers, and another call has the few rows that are left.
  static int rowsAtOnce(int rows) {
    int step = Math.max(UNIT, Integer.highestOneBit(rows) / 8);
    return rows < UNIT ? rows : rows / step * step;
  }

  private long chunks() {
    return Math.ceilDiv(rows, rowsPerTask);
  }

  @Override
  public long tasks() {
    return images * chunks() * blocks;
  }

  @Override
  public void run(int worker, Scratch scratch, long from, long to) {
    for (long i = from; i < to; i++) {
      long chunk = i / blocks;
      long image = chunk / chunks();
      long first = chunk % chunks() * rowsPerTask;
      int count = (int) Math.min(rowsPerTask, rows - first);
      task.run(worker, scratch, image, image * rows + first, count, (int) (i % blocks));
    }
  }
}
