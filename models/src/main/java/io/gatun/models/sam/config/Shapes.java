package io.gatun.models.sam.config;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;

/// Sizes of tensors by segment_anything's names.
record Shapes(Checkpoint checkpoint, SamNames names) {
  private static final int MAX_DIM = 1 << 20;

  /// @param rank what the tensor needs to have
  int dim(String name, int dim, int rank) {
    var tensor = checkpoint.tensor(names.name(name));
    if (tensor.shape().rank() != rank || tensor.size() == 0 || tensor.dim(dim) > MAX_DIM) {
      throw wrong(name, "%d dimensions, of at most %d".formatted(rank, MAX_DIM));
    }
    return Math.toIntExact(tensor.dim(dim));
  }

  boolean has(String name) {
    return checkpoint.tensors().containsKey(names.name(name));
  }

  /// How many layers there are.
  int count(String name) {
    int n = 0;
    while (checkpoint.tensors().containsKey(names.name(name.formatted(n)))) {
      n++;
    }
    if (n == 0) {
      checkpoint.tensor(names.name(name.formatted(0))); // says that it is missing
    }
    return n;
  }

  CheckpointException wrong(String name, String need) {
    String stored = names.name(name);
    return new CheckpointException(
        "%s: tensor \"%s\" is %s; need %s. List the file with: gatun inspect %s"
            .formatted(
                checkpoint.file(stored),
                stored,
                checkpoint.tensor(stored).shape(),
                need,
                checkpoint.path()));
  }
}
