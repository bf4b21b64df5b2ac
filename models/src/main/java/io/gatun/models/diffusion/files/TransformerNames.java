package io.gatun.models.diffusion.files;

import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.WeightNames.Stored;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The names that diffusion transformers have in their makers' repositories, in ComfyUI and in
/// stable-diffusion.cpp, for what diffusers names otherwise. Queries, keys and values are one
/// matrix there, and a last layer's modulation has the shift before the scale.
final class TransformerNames {
  private static final NameTable SD3 =
      NameTable.of(
          """
          ^pos_embed\\.proj\\.                                  x_embedder.proj.
          ^pos_embed\\.pos_embed$                               pos_embed
          ^time_text_embed\\.timestep_embedder\\.linear_1\\.    t_embedder.mlp.0.
          ^time_text_embed\\.timestep_embedder\\.linear_2\\.    t_embedder.mlp.2.
          ^time_text_embed\\.text_embedder\\.linear_1\\.        y_embedder.mlp.0.
          ^time_text_embed\\.text_embedder\\.linear_2\\.        y_embedder.mlp.2.
          ^norm_out\\.linear\\.                                 final_layer.adaLN_modulation.1.
          ^proj_out\\.                                          final_layer.linear.
          ^transformer_blocks\\.                                joint_blocks.
          \\.norm1\\.linear\\.                                  .x_block.adaLN_modulation.1.
          \\.norm1_context\\.linear\\.                          .context_block.adaLN_modulation.1.
          \\.attn(2?)\\.to_[qkv]\\.                             .x_block.attn$1.qkv.
          \\.attn\\.add_[qkv]_proj\\.                           .context_block.attn.qkv.
          \\.attn(2?)\\.norm_([qk])\\.                          .x_block.attn$1.ln_$2.
          \\.attn\\.norm_added_([qk])\\.                        .context_block.attn.ln_$1.
          \\.attn(2?)\\.to_out\\.0\\.                           .x_block.attn$1.proj.
          \\.attn\\.to_add_out\\.                               .context_block.attn.proj.
          \\.ff\\.net\\.0\\.proj\\.                             .x_block.mlp.fc1.
          \\.ff\\.net\\.2\\.                                    .x_block.mlp.fc2.
          \\.ff_context\\.net\\.0\\.proj\\.                     .context_block.mlp.fc1.
          \\.ff_context\\.net\\.2\\.                            .context_block.mlp.fc2.
          """);

  private static final NameTable FLUX =
      NameTable.of(
          """
          ^x_embedder\\.                                        img_in.
          ^context_embedder\\.                                  txt_in.
          ^time_text_embed\\.timestep_embedder\\.               time_in.
          ^time_guidance_embed\\.timestep_embedder\\.           time_in.
          ^time_text_embed\\.text_embedder\\.                   vector_in.
          ^time_text_embed\\.guidance_embedder\\.               guidance_in.
          _in\\.linear_1\\.                                     _in.in_layer.
          _in\\.linear_2\\.                                     _in.out_layer.
          ^(\\w+_modulation\\w*)\\.linear\\.                    $1.lin.
          ^norm_out\\.linear\\.                                 final_layer.adaLN_modulation.1.
          ^proj_out\\.                                          final_layer.linear.
          ^transformer_blocks\\.                                double_blocks.
          \\.norm1\\.linear\\.                                  .img_mod.lin.
          \\.norm1_context\\.linear\\.                          .txt_mod.lin.
          ^(double.*)\\.attn\\.to_[qkv]\\.                      $1.img_attn.qkv.
          ^(double.*)\\.attn\\.add_[qkv]_proj\\.                $1.txt_attn.qkv.
          ^(double.*)\\.attn\\.norm_q\\.weight                  $1.img_attn.norm.query_norm.scale
          ^(double.*)\\.attn\\.norm_k\\.weight                  $1.img_attn.norm.key_norm.scale
          ^(double.*)\\.attn\\.norm_added_q\\.weight            $1.txt_attn.norm.query_norm.scale
          ^(double.*)\\.attn\\.norm_added_k\\.weight            $1.txt_attn.norm.key_norm.scale
          ^(double.*)\\.attn\\.to_out\\.0\\.                    $1.img_attn.proj.
          ^(double.*)\\.attn\\.to_add_out\\.                    $1.txt_attn.proj.
          \\.ff\\.(?:net\\.0\\.proj|linear_in)\\.               .img_mlp.0.
          \\.ff\\.(?:net\\.2|linear_out)\\.                     .img_mlp.2.
          \\.ff_context\\.(?:net\\.0\\.proj|linear_in)\\.       .txt_mlp.0.
          \\.ff_context\\.(?:net\\.2|linear_out)\\.             .txt_mlp.2.
          ^single_transformer_blocks\\.                         single_blocks.
          ^(single.*)\\.norm\\.linear\\.                        $1.modulation.lin.
          ^(single.*)\\.attn\\.to_(?:[qkv]|qkv_mlp_proj)\\.     $1.linear1.
          ^(single.*)\\.proj_mlp\\.                             $1.linear1.
          ^(single.*)\\.attn\\.norm_q\\.weight                  $1.norm.query_norm.scale
          ^(single.*)\\.attn\\.norm_k\\.weight                  $1.norm.key_norm.scale
          ^(single.*)\\.(?:proj_out|attn\\.to_out)\\.           $1.linear2.
          """);

  private static final NameTable Z_IMAGE =
      NameTable.of(
          """
          ^all_x_embedder\\.2-1\\.                              x_embedder.
          ^all_final_layer\\.2-1\\.                             final_layer.
          \\.attention\\.to_[qkv]\\.                            .attention.qkv.
          \\.attention\\.to_out\\.0\\.                          .attention.out.
          \\.attention\\.norm_([qk])\\.                         .attention.$1_norm.
          """);

  private static final NameTable PIXART =
      NameTable.of(
          """
          ^pos_embed\\.proj\\.                                  x_embedder.proj.
          ^caption_projection\\.linear_([12])\\.                y_embedder.y_proj.fc$1.
          ^adaln_single\\.emb\\.timestep_embedder\\.            t_embedder.
          ^adaln_single\\.emb\\.resolution_embedder\\.          csize_embedder.
          ^adaln_single\\.emb\\.aspect_ratio_embedder\\.        ar_embedder.
          _embedder\\.linear_1\\.                               _embedder.mlp.0.
          _embedder\\.linear_2\\.                               _embedder.mlp.2.
          ^adaln_single\\.linear\\.                             t_block.1.
          ^proj_out\\.                                          final_layer.linear.
          ^scale_shift_table                                    final_layer.scale_shift_table
          ^transformer_blocks\\.                                blocks.
          \\.attn1\\.to_[qkv]\\.                                .attn.qkv.
          \\.attn1\\.to_out\\.0\\.                              .attn.proj.
          \\.attn2\\.to_q\\.                                    .cross_attn.q_linear.
          \\.attn2\\.to_[kv]\\.                                 .cross_attn.kv_linear.
          \\.attn2\\.to_out\\.0\\.                              .cross_attn.proj.
          \\.ff\\.net\\.0\\.proj\\.                             .mlp.fc1.
          \\.ff\\.net\\.2\\.                                    .mlp.fc2.
          """);

  /// XLabs-AI's adaptations, which hang on FLUX.1's attention.
  private static final NameTable XLABS =
      NameTable.of(
          """
          ^transformer_blocks\\.                                double_blocks.
          ^single_transformer_blocks\\.                         single_blocks.
          ^(double.*)\\.attn\\.to_[qkv]\\.                      $1.processor.qkv_lora1.
          ^(double.*)\\.attn\\.add_[qkv]_proj\\.                $1.processor.qkv_lora2.
          ^(double.*)\\.attn\\.to_out\\.0\\.                    $1.processor.proj_lora1.
          ^(double.*)\\.attn\\.to_add_out\\.                    $1.processor.proj_lora2.
          ^(single.*)\\.attn\\.to_[qkv]\\.                      $1.processor.qkv.
          ^(single.*)\\.proj_out\\.                             $1.processor.proj.
          """);

  private static final Pattern QKV = Pattern.compile("\\.(?:to|add)_([qkv])(?:_proj)?\\.");
  private static final String LAST_MODULATION = "norm_out.linear.";

  /// Shares of rows of a single block's first matrix: queries, keys, values, and four widths of the
  /// feed-forward part.
  private static final int SINGLE = 7;

  private TransformerNames() {}

  /// The names of a network, behind `prefix`; null if its makers use diffusers' own.
  ///
  /// @param className as config.json has it
  /// @param layers how many blocks have weights for the text
  static WeightNames of(String className, int layers, String prefix) {
    return switch (className) {
      case "SD3Transformer2DModel" -> name -> sd3(name, layers, prefix);
      case "FluxTransformer2DModel", "Flux2Transformer2DModel" -> name -> flux(name, prefix);
      case "ZImageTransformer2DModel" ->
          name -> inThree(name, Stored.of(prefix + Z_IMAGE.apply(name)));
      case "PixArtTransformer2DModel" -> name -> pixArt(name, prefix);
      default -> null;
    };
  }

  /// The names of XLabs-AI's adaptations; null for other networks than FLUX.1.
  static WeightNames xlabs(String className) {
    return className.equals("FluxTransformer2DModel")
        ? name -> inThree(name, Stored.of(XLABS.apply(name)))
        : null;
  }

  /// The text is of no use after the last block, whose modulation for it is a last one, too.
  private static Stored sd3(String name, int layers, String prefix) {
    var stored = Stored.of(prefix + SD3.apply(name));
    boolean last =
        name.startsWith(LAST_MODULATION)
            || name.startsWith("transformer_blocks.%d.norm1_context.".formatted(layers - 1));
    return last ? stored.asSwapped() : inThree(name, stored);
  }

  private static Stored flux(String name, String prefix) {
    var stored = Stored.of(prefix + FLUX.apply(name));
    if (name.startsWith(LAST_MODULATION)) {
      return stored.asSwapped();
    }
    if (!name.startsWith("single_")) {
      return inThree(name, stored);
    }
    if (name.contains(".proj_mlp.")) {
      return stored.parts(3, SINGLE, SINGLE);
    }
    var qkv = QKV.matcher(name);
    return qkv.find() ? stored.part(part(qkv), SINGLE) : stored;
  }

  private static Stored pixArt(String name, String prefix) {
    var stored = Stored.of(prefix + PIXART.apply(name));
    if (!name.contains(".attn2.")) {
      return inThree(name, stored);
    }
    // Keys and values are of the text alone.
    return name.contains(".to_k.")
        ? stored.part(0, 2)
        : name.contains(".to_v.") ? stored.part(1, 2) : stored;
  }

  private static Stored inThree(String name, Stored stored) {
    var qkv = QKV.matcher(name);
    return qkv.find() ? stored.part(part(qkv), 3) : stored;
  }

  private static int part(Matcher qkv) {
    return "qkv".indexOf(qkv.group(1));
  }
}
