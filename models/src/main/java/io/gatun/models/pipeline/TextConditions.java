package io.gatun.models.pipeline;

import io.gatun.tensor.ops.Functional;
import java.util.List;

/// The text side of a pipeline: prompts to what the network is conditioned on.
public interface TextConditions {
  /// How prompts are read.
  ///
  /// @param weighted whether words may have weights, and prompts any length
  /// @param clipSkip how many more of a CLIP text encoder's last layers are left out
  /// @param maxTokens the most tokens that are read of a prompt, where the model leaves that open;
  ///   0 for what its makers chose
  record Reading(boolean weighted, int clipSkip, int maxTokens) {
    /// For encoders other than CLIP.
    ///
    /// @throws IllegalArgumentException if CLIP alone can read so
    void requireNoClip() {
      if (weighted || clipSkip > 0) {
        throw new IllegalArgumentException(
            "this model's prompts are not read by CLIP alone; weights of words and skipped layers"
                + " (--weighted, --clip-skip) are for Stable Diffusion 1, 2 and XL");
      }
    }
  }

  /// The conditions of prompts.
  ///
  /// @param f the operations of what runs once for an image
  ///
  /// @throws IllegalArgumentException if they cannot be read as is asked
  List<Condition> encode(Functional f, List<String> prompts, Reading how);
}
