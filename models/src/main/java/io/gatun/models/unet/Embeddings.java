package io.gatun.models.unet;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.TimestepEmbedding;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.Arrays;

/// The embeddings of a network's added conditions.
///
/// @param batch images
record Embeddings(UNet2DConditionConfig config, Functional f, int batch) {
  /// The guidance scale is given to distilled networks as sinusoids of this multiple of it.
  private static final double GUIDANCE_FACTOR = 1000;

  /// What is added to the time embedding (B, E); null for nothing.
  ///
  /// @throws IllegalArgumentException if a condition is missing, or is not as the configuration
  ///   says
  Tensor added(AddedConditions added, TimestepEmbedding addEmbedding, Tensor classEmbedding) {
    if (addEmbedding != null) {
      return Scoped.call(f, () -> textTime(added, addEmbedding));
    }
    if (classEmbedding != null) {
      int[] labels = added.classLabels();
      if (labels == null || labels.length != batch) {
        throw new IllegalArgumentException(
            "num_class_embeds=%d in config.json: need a class label for each of %d images"
                .formatted(config.numClassEmbeds(), batch));
      }
      return f.embedding(labels, classEmbedding);
    }
    return null;
  }

  /// addEmbedding([textEmbeds, sinusoids(timeIds)])
  private Tensor textTime(AddedConditions added, TimestepEmbedding addEmbedding) {
    if (added.textEmbeds() == null
        || added.textEmbeds().dim(0) != batch
        || added.timeIds() == null
        || added.timeIds().length != batch) {
      throw new IllegalArgumentException(
          "addition_embed_type=text_time in config.json: need textEmbeds and timeIds of %d images"
              .formatted(batch));
    }
    double[] ids = Arrays.stream(added.timeIds()).flatMapToDouble(Arrays::stream).toArray();
    int dim = config.additionTimeEmbedDim();
    long size = (long) dim * ids.length / batch + added.textEmbeds().dim(1);
    if (ids.length % batch != 0 || size != config.projectionClassEmbeddingsInputDim()) {
      throw new IllegalArgumentException(
          "text embeddings of %d and %d sizes for %d images make %d values each; need projection_class_embeddings_input_dim=%d, as in config.json"
              .formatted(
                  added.textEmbeds().dim(1),
                  ids.length,
                  batch,
                  size,
                  config.projectionClassEmbeddingsInputDim()));
    }
    var times =
        TimestepEmbedding.sinusoids(f, ids, dim, config.flipSinToCos(), config.freqShift())
            .reshape(batch, (long) dim * ids.length / batch);
    return addEmbedding.forward(f, f.concat(f.cast(added.textEmbeds()), times), null); // (B, E)
  }

  /// The embedded guidance scale (B, G) of a distilled network (Meng et al. 2023); null for none.
  Tensor guidance(AddedConditions added) {
    if (config.timeCondProjDim() == 0) {
      return null;
    }
    var scales = new double[batch];
    Arrays.fill(scales, GUIDANCE_FACTOR * (added.guidance() - 1));
    return TimestepEmbedding.sinusoids(f, scales, config.timeCondProjDim(), false, 1);
  }
}
