package io.gatun.models.diffusion.files;

import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.WeightNames.Stored;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The names of the latent diffusion repositories (CompVis/latent-diffusion,
/// Stability-AI/generative-models) and of OpenCLIP for what diffusers and transformers name
/// otherwise, in one table.
final class LdmNames {
  static final String UNET_PREFIX = "model.diffusion_model.";
  static final String CONV_IN = UNET_PREFIX + "input_blocks.0.0.weight";

  private static final NameTable UNET =
      NameTable.of(
          """
          ^conv_in\\.                    input_blocks.0.0.
          ^time_embedding\\.linear_1\\.  time_embed.0.
          ^time_embedding\\.linear_2\\.  time_embed.2.
          ^time_embedding\\.cond_proj\\. time_embed.cond_proj.
          ^add_embedding\\.linear_1\\.   label_emb.0.0.
          ^add_embedding\\.linear_2\\.   label_emb.0.2.
          ^mid_block\\.resnets\\.0\\.    middle_block.0.
          ^mid_block\\.attentions\\.0\\. middle_block.1.
          ^mid_block\\.resnets\\.1\\.    middle_block.2.
          ^conv_norm_out\\.              out.0.
          ^conv_out\\.                   out.2.
          """);

  /// What is inside of a residual block of the UNet.
  private static final NameTable UNET_RESNET =
      NameTable.of(
          """
          norm1\\.         in_layers.0.
          conv1\\.         in_layers.2.
          time_emb_proj\\. emb_layers.1.
          norm2\\.         out_layers.0.
          conv2\\.         out_layers.3.
          conv_shortcut\\. skip_connection.
          """);

  private static final NameTable VAE =
      NameTable.of(
          """
          down_blocks\\.(\\d+)\\.resnets\\.          down.$1.block.
          down_blocks\\.(\\d+)\\.downsamplers\\.0\\. down.$1.downsample.
          mid_block\\.resnets\\.0\\.                 mid.block_1.
          mid_block\\.resnets\\.1\\.                 mid.block_2.
          mid_block\\.attentions\\.0\\.              mid.attn_1.
          \\.group_norm\\.                           .norm.
          \\.to_([qkv])\\.                           .$1.
          \\.to_out\\.0\\.                           .proj_out.
          conv_norm_out\\.                           norm_out.
          conv_shortcut\\.                           nin_shortcut.
          """);

  private static final NameTable OPEN_CLIP =
      NameTable.of(
          """
          ^text_model\\.embeddings\\.token_embedding\\.          token_embedding.
          ^text_model\\.embeddings\\.position_embedding\\.weight positional_embedding
          ^text_model\\.encoder\\.layers\\.                      transformer.resblocks.
          ^text_model\\.final_layer_norm\\.                      ln_final.
          ^text_projection\\.weight                              text_projection
          \\.layer_norm([12])\\.                                 .ln_$1.
          \\.mlp\\.fc1\\.                                        .mlp.c_fc.
          \\.mlp\\.fc2\\.                                        .mlp.c_proj.
          \\.self_attn\\.out_proj\\.                             .attn.out_proj.
          \\.self_attn\\.[qkv]_proj\\.                           .attn.in_proj_
          """);

  private static final Pattern LEVEL =
      Pattern.compile(
          "(down|up)_blocks\\.(\\d+)\\.(resnets|attentions|\\w+samplers)\\.(\\d+)\\.(?:(?<=samplers\\.0\\.)conv\\.)?");

  private static final NameTable CONTROL_NET =
      NameTable.of(
          """
          ^controlnet_down_blocks\\.(\\d+)\\. zero_convs.$1.0.
          ^controlnet_mid_block\\.        middle_block_out.0.
          """);

  private static final Pattern HINT =
      Pattern.compile("controlnet_cond_embedding\\.(conv_in|conv_out|blocks\\.(\\d+))\\.");

  private static final Pattern UP = Pattern.compile("up_blocks\\.(\\d+)\\.");

  private static final Pattern QKV = Pattern.compile("\\.([qkv])_proj\\.");

  private LdmNames() {}

  /// A tensor that a residual block of the first level has, counted from 1 on.
  static String residualBlock(int layer) {
    return "%sinput_blocks.%d.0.in_layers.0.weight".formatted(UNET_PREFIX, layer);
  }

  /// The UNet's names behind `prefix`.
  ///
  /// @param upBlockTypes as in config.json
  /// @param layers of a block on the way down; one more on the way up
  static WeightNames unet(List<String> upBlockTypes, int layers, String prefix) {
    return name -> {
      var level = LEVEL.matcher(name);
      String to =
          level.lookingAt()
              ? place(level, upBlockTypes, layers) + name.substring(level.end())
              : UNET.apply(name);
      boolean resnet = name.contains(".resnets.");
      return Stored.of(prefix + (resnet ? UNET_RESNET.apply(to) : to));
    };
  }

  /// The layers of all blocks are numbered through. What changes the size is a layer of its own at
  /// the end of a block on the way down, and a part of the last layer on the way up.
  private static String place(Matcher level, List<String> upBlockTypes, int layers) {
    int block = Integer.parseInt(level.group(2));
    String kind = level.group(3);
    boolean changesSize = kind.endsWith("samplers");
    int layer = block * (layers + 1) + (changesSize ? layers : Integer.parseInt(level.group(4)));
    if (level.group(1).equals("down")) {
      String slot = kind.equals("attentions") ? "1." : changesSize ? "0.op." : "0.";
      return "input_blocks.%d.%s".formatted(1 + layer, slot);
    }
    if (changesSize) {
      boolean attends = upBlockTypes.get(block).startsWith("CrossAttn");
      return "output_blocks.%d.%s".formatted(layer, attends ? "2.conv." : "1.conv.");
    }
    return "output_blocks.%d.%s".formatted(layer, kind.equals("resnets") ? "0." : "1.");
  }

  /// A ControlNet's names behind `prefix`: a UNet's way down, what sees the picture, with nothing
  /// but an activation between the convolutions, which count, too, and what ends in the UNet.
  ///
  /// @param layers of a block
  /// @param seeing convolutions that see the picture
  static WeightNames controlNet(int layers, int seeing, String prefix) {
    var unet = unet(List.of(), layers, prefix);
    return name -> {
      var hint = HINT.matcher(name);
      if (!hint.lookingAt()) {
        String own = CONTROL_NET.apply(name);
        return own.equals(name) ? unet.stored(name) : Stored.of(prefix + own);
      }
      int at =
          switch (hint.group(1)) {
            case "conv_in" -> 0;
            case "conv_out" -> seeing - 1;
            default -> 1 + Integer.parseInt(hint.group(2));
          };
      return Stored.of(
          "%sinput_hint_block.%d.%s".formatted(prefix, 2 * at, name.substring(hint.end())));
    };
  }

  /// The autoencoder's names behind `prefix`, whose decoder counts its blocks from the image on.
  static WeightNames vae(String prefix, int blocks) {
    return name -> {
      var up = UP.matcher(name);
      String to =
          up.find()
              ? up.replaceFirst("up.%d.".formatted(blocks - 1 - Integer.parseInt(up.group(1))))
                  .replace(".resnets.", ".block.")
                  .replace(".upsamplers.0.", ".upsample.")
              : name;
      return Stored.of(prefix + VAE.apply(to));
    };
  }

  /// The names of OpenAI's CLIP, which are transformers' with a prefix.
  static WeightNames clip(String prefix) {
    return name -> Stored.of(prefix + name);
  }

  /// The names of an OpenCLIP text encoder, which has queries, keys and values in one matrix, and
  /// the last projection transposed.
  static WeightNames openClip(String prefix) {
    return name -> {
      var qkv = QKV.matcher(name);
      boolean oneOfThree = qkv.find();
      var stored = Stored.of(prefix + OPEN_CLIP.apply(name));
      if (oneOfThree) {
        return stored.part("qkv".indexOf(qkv.group(1)), 3);
      }
      return name.startsWith("text_projection") ? stored.asTransposed() : stored;
    };
  }
}
