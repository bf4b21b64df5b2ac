package io.gatun.models.diffusion;

import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.WeightNames.Stored;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The names of the latent diffusion repositories (CompVis/latent-diffusion,
/// Stability-AI/generative-models) and of OpenCLIP for what diffusers and transformers name
/// otherwise, in one table.
final class LdmNames {
  static final String CONV_IN = "model.diffusion_model.input_blocks.0.0.weight";

  /// A piece of a name here, and what stands for it there.
  private record Row(Pattern from, String to) {}

  private static final List<Row> UNET =
      List.of(
          row("^conv_in\\.", "input_blocks.0.0."),
          row("^time_embedding\\.linear_1\\.", "time_embed.0."),
          row("^time_embedding\\.linear_2\\.", "time_embed.2."),
          row("^add_embedding\\.linear_1\\.", "label_emb.0.0."),
          row("^add_embedding\\.linear_2\\.", "label_emb.0.2."),
          row("^mid_block\\.resnets\\.0\\.", "middle_block.0."),
          row("^mid_block\\.attentions\\.0\\.", "middle_block.1."),
          row("^mid_block\\.resnets\\.1\\.", "middle_block.2."),
          row("^conv_norm_out\\.", "out.0."),
          row("^conv_out\\.", "out.2."));

  /// What is inside of a residual block of the UNet.
  private static final List<Row> UNET_RESNET =
      List.of(
          row("norm1\\.", "in_layers.0."),
          row("conv1\\.", "in_layers.2."),
          row("time_emb_proj\\.", "emb_layers.1."),
          row("norm2\\.", "out_layers.0."),
          row("conv2\\.", "out_layers.3."),
          row("conv_shortcut\\.", "skip_connection."));

  private static final List<Row> VAE =
      List.of(
          row("down_blocks\\.(\\d+)\\.resnets\\.", "down.$1.block."),
          row("down_blocks\\.(\\d+)\\.downsamplers\\.0\\.", "down.$1.downsample."),
          row("mid_block\\.resnets\\.0\\.", "mid.block_1."),
          row("mid_block\\.resnets\\.1\\.", "mid.block_2."),
          row("mid_block\\.attentions\\.0\\.", "mid.attn_1."),
          row("\\.group_norm\\.", ".norm."),
          row("\\.to_([qkv])\\.", ".$1."),
          row("\\.to_out\\.0\\.", ".proj_out."),
          row("conv_norm_out\\.", "norm_out."),
          row("conv_shortcut\\.", "nin_shortcut."));

  private static final List<Row> OPEN_CLIP =
      List.of(
          row("^text_model\\.embeddings\\.token_embedding\\.", "token_embedding."),
          row("^text_model\\.embeddings\\.position_embedding\\.weight", "positional_embedding"),
          row("^text_model\\.encoder\\.layers\\.", "transformer.resblocks."),
          row("^text_model\\.final_layer_norm\\.", "ln_final."),
          row("^text_projection\\.weight", "text_projection"),
          row("\\.layer_norm([12])\\.", ".ln_$1."),
          row("\\.mlp\\.fc1\\.", ".mlp.c_fc."),
          row("\\.mlp\\.fc2\\.", ".mlp.c_proj."),
          row("\\.self_attn\\.out_proj\\.", ".attn.out_proj."),
          row("\\.self_attn\\.[qkv]_proj\\.", ".attn.in_proj_"));

  private static final Pattern LEVEL =
      Pattern.compile(
          "(down|up)_blocks\\.(\\d+)\\.(resnets|attentions|\\w+samplers)\\.(\\d+)\\.(?:(?<=samplers\\.0\\.)conv\\.)?");

  private static final Pattern UP = Pattern.compile("up_blocks\\.(\\d+)\\.");

  private static final Pattern QKV = Pattern.compile("\\.([qkv])_proj\\.");

  private LdmNames() {}

  private static Row row(String from, String to) {
    return new Row(Pattern.compile(from), to);
  }

  /// The UNet's names.
  ///
  /// @param upBlockTypes as in config.json
  /// @param layers of a block on the way down; one more on the way up
  static WeightNames unet(List<String> upBlockTypes, int layers) {
    return name -> {
      var level = LEVEL.matcher(name);
      String to =
          level.lookingAt()
              ? place(level, upBlockTypes, layers) + name.substring(level.end())
              : replace(name, UNET);
      boolean resnet = name.contains(".resnets.");
      return Stored.of("model.diffusion_model." + (resnet ? replace(to, UNET_RESNET) : to));
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
    boolean attends = upBlockTypes.get(block).startsWith("CrossAttn");
    String slot =
        kind.equals("resnets") ? "0." : !changesSize ? "1." : attends ? "2.conv." : "1.conv.";
    return "output_blocks.%d.%s".formatted(layer, slot);
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
      return Stored.of(prefix + replace(to, VAE));
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
      return new Stored(
          prefix + replace(name, OPEN_CLIP),
          oneOfThree ? "qkv".indexOf(qkv.group(1)) : 0,
          oneOfThree ? 3 : 1,
          name.startsWith("text_projection"));
    };
  }

  private static String replace(String name, List<Row> table) {
    String out = name;
    for (var row : table) {
      out = row.from.matcher(out).replaceFirst(row.to);
    }
    return out;
  }
}
