package io.gatun.models.sam.config;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What checkpoints call the tensors that Gatun asks for: by the names of segment_anything, and of
/// sam2 what only SAM 2 has.
final class NameTables {
  /// One line: what a name may begin with, up to a dot, and what stands there instead.
  record Row(Pattern ours, String theirs) {}

  /// No line: the names are the same.
  static final List<Row> SAME = List.of();

  /// transformers' names of SAM and SAM-HQ.
  static final List<Row> HUGGING_FACE =
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

  /// EfficientSAM's own, whose layers between activations are sequences of one layer.
  static final List<Row> EFFICIENT_SAM =
      List.of(
          row("image_encoder.blocks.%d.mlp.lin1", "image_encoder.blocks.%d.mlp.fc1"),
          row("image_encoder.blocks.%d.mlp.lin2", "image_encoder.blocks.%d.mlp.fc2"),
          row("prompt_encoder.not_a_point_embed", "prompt_encoder.invalid_points"),
          row("prompt_encoder.point_embeddings.1", "prompt_encoder.point_embeddings"),
          row("prompt_encoder.point_embeddings.2", "prompt_encoder.bbox_top_left_embeddings"),
          row("prompt_encoder.point_embeddings.3", "prompt_encoder.bbox_bottom_right_embeddings"),
          row(
              "mask_decoder.transformer.layers.%d.mlp.lin1",
              "mask_decoder.transformer.layers.%d.mlp.layers.0.0"),
          row(
              "mask_decoder.transformer.layers.%d.mlp.lin2",
              "mask_decoder.transformer.layers.%d.mlp.fc"),
          row("mask_decoder.output_upscaling.0", "mask_decoder.final_output_upscaling_layers.0.0"),
          row("mask_decoder.output_upscaling.1", "mask_decoder.final_output_upscaling_layers.0.1"),
          row("mask_decoder.output_upscaling.3", "mask_decoder.final_output_upscaling_layers.1.0"),
          row(
              "mask_decoder.output_hypernetworks_mlps.%d.layers.2",
              "mask_decoder.output_hypernetworks_mlps.%d.fc"),
          row(
              "mask_decoder.output_hypernetworks_mlps.%d.layers.%d",
              "mask_decoder.output_hypernetworks_mlps.%d.layers.%d.0"),
          row("mask_decoder.iou_prediction_head.layers.2", "mask_decoder.iou_prediction_head.fc"),
          row(
              "mask_decoder.iou_prediction_head.layers.%d",
              "mask_decoder.iou_prediction_head.layers.%d.0"));

  /// sam2's own: two parts have a prefix, and a layer's parts are numbered.
  static final List<Row> SAM2 =
      List.of(
          row(
              "mask_decoder.transformer.layers.%d.mlp.lin1",
              "sam_mask_decoder.transformer.layers.%d.mlp.layers.0"),
          row(
              "mask_decoder.transformer.layers.%d.mlp.lin2",
              "sam_mask_decoder.transformer.layers.%d.mlp.layers.1"),
          row("mask_decoder", "sam_mask_decoder"),
          row("prompt_encoder", "sam_prompt_encoder"));

  /// transformers' names of SAM 2; where the mask decoder is SAM's, so are they.
  static final List<Row> HUGGING_FACE_SAM2 =
      Stream.concat(
              Stream.of(
                  row(
                      "image_encoder.trunk.blocks.%d.norm%d",
                      "vision_encoder.backbone.blocks.%d.layer_norm%d"),
                  row(
                      "image_encoder.trunk.blocks.%d.mlp.layers.0",
                      "vision_encoder.backbone.blocks.%d.mlp.proj_in"),
                  row(
                      "image_encoder.trunk.blocks.%d.mlp.layers.1",
                      "vision_encoder.backbone.blocks.%d.mlp.proj_out"),
                  row(
                      "image_encoder.trunk.patch_embed.proj",
                      "vision_encoder.backbone.patch_embed.projection"),
                  row("image_encoder.trunk", "vision_encoder.backbone"),
                  row("image_encoder.neck.convs.%d.conv", "vision_encoder.neck.convs.%d"),
                  row(
                      "mask_decoder.transformer.layers.%d.mlp.lin1",
                      "mask_decoder.transformer.layers.%d.mlp.proj_in"),
                  row(
                      "mask_decoder.transformer.layers.%d.mlp.lin2",
                      "mask_decoder.transformer.layers.%d.mlp.proj_out"),
                  output("mask_decoder.transformer.layers.%d.self_attn"),
                  output("mask_decoder.transformer.layers.%d.cross_attn_token_to_image"),
                  output("mask_decoder.transformer.layers.%d.cross_attn_image_to_token"),
                  output("mask_decoder.transformer.final_attn_token_to_image"),
                  row(
                      "mask_decoder.pred_obj_score_head.layers.0",
                      "mask_decoder.pred_obj_score_head.proj_in"),
                  row(
                      "mask_decoder.pred_obj_score_head.layers.1",
                      "mask_decoder.pred_obj_score_head.layers.0"),
                  row(
                      "mask_decoder.pred_obj_score_head.layers.2",
                      "mask_decoder.pred_obj_score_head.proj_out"),
                  row("no_mem_embed", "no_memory_embedding"),
                  row("no_mem_pos_enc", "no_memory_positional_encoding"),
                  row("no_obj_ptr", "no_object_pointer"),
                  row("no_obj_embed_spatial", "occlusion_spatial_embedding_parameter"),
                  row("maskmem_tpos_enc", "memory_temporal_positional_encoding"),
                  row("obj_ptr_tpos_proj", "temporal_positional_encoding_projection_layer"),
                  row("obj_ptr_proj.layers.0", "object_pointer_proj.proj_in"),
                  row("obj_ptr_proj.layers.1", "object_pointer_proj.layers.0"),
                  row("obj_ptr_proj.layers.2", "object_pointer_proj.proj_out"),
                  output("memory_attention.layers.%d.self_attn"),
                  output("memory_attention.layers.%d.cross_attn_image"),
                  row(
                      "memory_attention.layers.%d.norm%d",
                      "memory_attention.layers.%d.layer_norm%d"),
                  row("memory_attention.norm", "memory_attention.layer_norm"),
                  row(
                      "memory_encoder.fuser.layers.%d.dwconv",
                      "memory_encoder.memory_fuser.layers.%d.depthwise_conv"),
                  row(
                      "memory_encoder.fuser.layers.%d.gamma",
                      "memory_encoder.memory_fuser.layers.%d.scale"),
                  row(
                      "memory_encoder.fuser.layers.%d.norm",
                      "memory_encoder.memory_fuser.layers.%d.layer_norm"),
                  row(
                      "memory_encoder.fuser.layers.%d.pwconv%d",
                      "memory_encoder.memory_fuser.layers.%d.pointwise_conv%d"),
                  downsampler(0, "layers.0.conv"),
                  downsampler(1, "layers.0.layer_norm"),
                  downsampler(3, "layers.1.conv"),
                  downsampler(4, "layers.1.layer_norm"),
                  downsampler(6, "layers.2.conv"),
                  downsampler(7, "layers.2.layer_norm"),
                  downsampler(9, "layers.3.conv"),
                  downsampler(10, "layers.3.layer_norm"),
                  downsampler(12, "final_conv"),
                  row("memory_encoder.pix_feat_proj", "memory_encoder.feature_projection"),
                  row("memory_encoder.out_proj", "memory_encoder.projection")),
              HUGGING_FACE.stream())
          .toList();

  private NameTables() {}

  private static Row output(String attention) {
    return row(attention + ".out_proj", attention + ".o_proj");
  }

  private static Row downsampler(int number, String name) {
    return row(
        "memory_encoder.mask_downsampler.encoder." + number,
        "memory_encoder.mask_downsampler." + name);
  }

  /// @param ours with %d for numbers
  private static Row row(String ours, String theirs) {
    String regex = ours.replace(".", "\\.").replace("%d", "(\\d+)");
    String replacement = theirs.replaceFirst("%d", "\\$1").replaceFirst("%d", "\\$2");
    return new Row(Pattern.compile(regex + "(?=\\.|$)"), replacement);
  }

  /// What a checkpoint of such a table calls a tensor.
  static String name(List<Row> table, String ours) {
    for (var row : table) {
      var matcher = row.ours.matcher(ours);
      if (matcher.lookingAt()) {
        return matcher.replaceFirst(row.theirs);
      }
    }
    return ours;
  }
}
