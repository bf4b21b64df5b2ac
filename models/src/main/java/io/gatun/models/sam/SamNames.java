package io.gatun.models.sam;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightNames;
import java.util.List;
import java.util.regex.Pattern;

/// The names that checkpoints give to the same tensors, in one table: those of segment_anything, by
/// which Gatun asks, and Hugging Face's.
enum SamNames implements WeightNames {
  /// In Meta's .pth files and in safetensors made of them.
  SEGMENT_ANYTHING,
  HUGGING_FACE;

  /// Only one model has a layer of this name.
  private static final String PATCH_EMBED = "image_encoder.patch_embed.proj.weight";

  /// The beginnings of names, %d being a number; where none fits, the names are the same.
  private static final List<Row> TABLE =
      List.of(
          row("image_encoder.patch_embed.proj", "vision_encoder.patch_embed.projection"),
          row("image_encoder.blocks.%d.norm%d", "vision_encoder.layers.%d.layer_norm%d"),
          row("image_encoder.blocks.%d", "vision_encoder.layers.%d"),
          row("image_encoder.neck.0", "vision_encoder.neck.conv1"),
          row("image_encoder.neck.1", "vision_encoder.neck.layer_norm1"),
          row("image_encoder.neck.2", "vision_encoder.neck.conv2"),
          row("image_encoder.neck.3", "vision_encoder.neck.layer_norm2"),
          row("image_encoder", "vision_encoder"),
          row(
              "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
              "shared_image_embedding.positional_embedding"),
          row("prompt_encoder.point_embeddings.%d", "prompt_encoder.point_embed.%d"),
          row("prompt_encoder.mask_downscaling.0", "prompt_encoder.mask_embed.conv1"),
          row("prompt_encoder.mask_downscaling.1", "prompt_encoder.mask_embed.layer_norm1"),
          row("prompt_encoder.mask_downscaling.3", "prompt_encoder.mask_embed.conv2"),
          row("prompt_encoder.mask_downscaling.4", "prompt_encoder.mask_embed.layer_norm2"),
          row("prompt_encoder.mask_downscaling.6", "prompt_encoder.mask_embed.conv3"),
          row(
              "mask_decoder.transformer.layers.%d.norm%d",
              "mask_decoder.transformer.layers.%d.layer_norm%d"),
          row(
              "mask_decoder.transformer.norm_final_attn",
              "mask_decoder.transformer.layer_norm_final_attn"),
          row("mask_decoder.output_upscaling.0", "mask_decoder.upscale_conv1"),
          row("mask_decoder.output_upscaling.1", "mask_decoder.upscale_layer_norm"),
          row("mask_decoder.output_upscaling.3", "mask_decoder.upscale_conv2"),
          row(
              "mask_decoder.output_hypernetworks_mlps.%d.layers.0",
              "mask_decoder.output_hypernetworks_mlps.%d.proj_in"),
          row(
              "mask_decoder.output_hypernetworks_mlps.%d.layers.1",
              "mask_decoder.output_hypernetworks_mlps.%d.layers.0"),
          row(
              "mask_decoder.output_hypernetworks_mlps.%d.layers.2",
              "mask_decoder.output_hypernetworks_mlps.%d.proj_out"),
          row("mask_decoder.hf_token", "mask_decoder.hq_token"),
          row("mask_decoder.hf_mlp.layers.0", "mask_decoder.hq_mask_mlp.proj_in"),
          row("mask_decoder.hf_mlp.layers.1", "mask_decoder.hq_mask_mlp.layers.0"),
          row("mask_decoder.hf_mlp.layers.2", "mask_decoder.hq_mask_mlp.proj_out"),
          row("mask_decoder.compress_vit_feat.0", "mask_decoder.compress_vit_conv1"),
          row("mask_decoder.compress_vit_feat.1", "mask_decoder.compress_vit_norm"),
          row("mask_decoder.compress_vit_feat.3", "mask_decoder.compress_vit_conv2"),
          row("mask_decoder.embedding_encoder.0", "mask_decoder.encoder_conv1"),
          row("mask_decoder.embedding_encoder.1", "mask_decoder.encoder_norm"),
          row("mask_decoder.embedding_encoder.3", "mask_decoder.encoder_conv2"),
          row("mask_decoder.embedding_maskfeature.0", "mask_decoder.mask_conv1"),
          row("mask_decoder.embedding_maskfeature.1", "mask_decoder.mask_norm"),
          row("mask_decoder.embedding_maskfeature.3", "mask_decoder.mask_conv2"),
          row(
              "mask_decoder.iou_prediction_head.layers.0",
              "mask_decoder.iou_prediction_head.proj_in"),
          row(
              "mask_decoder.iou_prediction_head.layers.1",
              "mask_decoder.iou_prediction_head.layers.0"),
          row(
              "mask_decoder.iou_prediction_head.layers.2",
              "mask_decoder.iou_prediction_head.proj_out"));

  /// One line of the table: what a name may begin with, up to a dot, and what stands there instead.
  private record Row(Pattern segmentAnything, String huggingFace) {}

  private static Row row(String segmentAnything, String huggingFace) {
    String regex = segmentAnything.replace(".", "\\.").replace("%d", "(\\d+)");
    String replacement = huggingFace.replaceFirst("%d", "\\$1").replaceFirst("%d", "\\$2");
    return new Row(Pattern.compile(regex + "(?=\\.|$)"), replacement);
  }

  /// The family whose patch embedding the checkpoint holds.
  ///
  /// @throws CheckpointException if it holds none
  static SamNames of(Checkpoint checkpoint) {
    for (var family : values()) {
      if (checkpoint.tensors().containsKey(family.name(PATCH_EMBED))) {
        return family;
      }
    }
    throw new CheckpointException(
        "%s: no Segment Anything model: it has neither %s nor %s. List the file with: gatun inspect %s"
            .formatted(
                checkpoint.path(),
                SEGMENT_ANYTHING.name(PATCH_EMBED),
                HUGGING_FACE.name(PATCH_EMBED),
                checkpoint.path()));
  }

  /// This family's name for a tensor given by segment_anything's name.
  String name(String segmentAnything) {
    if (this == HUGGING_FACE) {
      for (var row : TABLE) {
        var matcher = row.segmentAnything.matcher(segmentAnything);
        if (matcher.lookingAt()) {
          return matcher.replaceFirst(row.huggingFace);
        }
      }
    }
    return segmentAnything;
  }

  @Override
  public Stored stored(String name) {
    return Stored.of(name(name));
  }
}
