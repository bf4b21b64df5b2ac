package io.gatun.models.unet;

import io.gatun.tensor.Tensor;

/// What conditions a UNet beside the text and the time; each network wants its own of them.
///
/// @param textEmbeds SDXL: the texts' embeddings (B, P) of any plain type; else null
/// @param timeIds SDXL: for each image the original height and width, the top and left of the crop,
///   and the wanted height and width; else null
/// @param classLabels the class of each image, where num_class_embeds is set; else null
/// @param guidance the scale of guidance that a distilled network is to imitate, where
///   time_cond_proj_dim is set; else not used
public record AddedConditions(
    Tensor textEmbeds, double[][] timeIds, int[] classLabels, double guidance) {
  /// Nothing: Stable Diffusion 1 and 2.
  public static final AddedConditions NONE = new AddedConditions(null, null, null, 1);

  /// SDXL's.
  public static AddedConditions textTime(Tensor textEmbeds, double[][] timeIds) {
    return new AddedConditions(textEmbeds, timeIds, null, 1);
  }
}
