package io.gatun.models.clip;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// CLIP's text encoder and the projection of a text's summary into the space that texts and images
/// share.
public final class CLIPTextModelWithProjection {
  private final CLIPTextModel textModel;
  private final LinearWeight textProjection;

  /// What SDXL is conditioned on.
  ///
  /// @param hidden states (B, S, D) after all but the skipped layers, not normalized
  /// @param textEmbeds the projected row of the end token (B, P)
  public record Output(Tensor hidden, Tensor textEmbeds) {}

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public CLIPTextModelWithProjection(CLIPTextConfig config, Weights weights) {
    this(config, weights, List.of());
  }

  /// With embeddings of taught words, see [CLIPTextModel].
  ///
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public CLIPTextModelWithProjection(CLIPTextConfig config, Weights weights, List<float[]> taught) {
    textModel = new CLIPTextModel(config, weights, taught);
    textProjection =
        weights
            .because(config.reason())
            .linearWithoutBias("text_projection", config.projectionDim(), config.hiddenSize());
  }

  public CLIPTextConfig config() {
    return textModel.config();
  }

  /// The hidden states after all but the last `skip` layers and the texts' embeddings, which come
  /// from the last layer whatever is skipped.
  ///
  /// @param ids of B texts of equal length
  public Output forward(Functional f, int[][] ids, int skip) {
    if (skip < 0 || skip > config().numHiddenLayers()) {
      throw new IllegalArgumentException(
          "%d layers to skip; the text encoder has %d".formatted(skip, config().numHiddenLayers()));
    }
    int after = config().numHiddenLayers() - skip;
    var taken = f.empty(ids.length, ids[0].length, config().hiddenSize());
    var embeds = f.empty(ids.length, config().projectionDim());
    try (var _ = f.scope()) {
      var layer = new int[1];
      var last =
          textModel.hiddenState(
              f,
              ids,
              0,
              x -> {
                if (layer[0]++ == after) {
                  taken.segment().copyFrom(x.segment());
                }
              });
      var pooled = textModel.pooled(f, textModel.normalized(f, last), ids);
      embeds.segment().copyFrom(f.linear(pooled, textProjection).segment()); // (B, P)
    }
    return new Output(taken, embeds);
  }
}
