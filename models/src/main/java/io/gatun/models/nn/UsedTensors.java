package io.gatun.models.nn;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// The tensors of a checkpoint, and which of them a model was made from: a tensor that nothing has
/// read shows that the model is another than the one that would run, whose answers would be wrong
/// without a word.
public final class UsedTensors {
  private static final int LISTED = 4;

  /// What training leaves in checkpoints of all families, beside the model.
  private static final Pattern TRAINING =
      Pattern.compile(
          "^(optimizer|optim|optimizers|optimizer_states|ema|ema_model|model_ema|lr_scheduler|lr_schedulers"
              + "|scheduler|scaler|amp|callbacks|loops|rng_state|global_step)\\b.*");

  private final Checkpoint checkpoint;
  private final Set<String> used = new HashSet<>();

  /// The tensors of a checkpoint of which none is used yet.
  public UsedTensors(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /// Where the tensors are.
  public Checkpoint checkpoint() {
    return checkpoint;
  }

  /// Whether there is a tensor of that name.
  public boolean has(String name) {
    return checkpoint.tensors().containsKey(name);
  }

  /// The tensor of that name, which counts as used from now on; null if there is none.
  public Tensor use(String name) {
    used.add(name);
    return checkpoint.tensors().get(name);
  }

  /// Checks, once a model is made, that it has a place for every tensor.
  ///
  /// @param leftovers the names, or their beginnings, of what checkpoints of this family may hold
  ///   that does not belong to the model
  /// @throws CheckpointException if there are others; it names some
  public void requireAllUsed(Pattern leftovers) {
    List<String> unused =
        checkpoint.tensors().keySet().stream()
            .filter(name -> !used.contains(name))
            .filter(name -> !TRAINING.matcher(name).lookingAt())
            .filter(name -> !leftovers.matcher(name).lookingAt())
            .toList();
    if (!unused.isEmpty()) {
      throw new CheckpointException(
          "%s: Gatun has no place for %d of its %d tensors (%s%s), without which the model's answers would be wrong: it is a variant that Gatun does not run. List them with: gatun inspect %s"
              .formatted(
                  checkpoint.path(),
                  unused.size(),
                  checkpoint.tensors().size(),
                  String.join(", ", unused.subList(0, Math.min(LISTED, unused.size()))),
                  unused.size() > LISTED ? ", ..." : "",
                  checkpoint.path()));
    }
  }
}
