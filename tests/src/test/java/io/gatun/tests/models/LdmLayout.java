package io.gatun.tests.models;

import io.gatun.tensor.Shape;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;

/// The tensors of Stable Diffusion 1 in one file, listed as the constructors of
/// CompVis/latent-diffusion make them (openaimodel.py's UNetModel, model.py's Encoder and Decoder).
final class LdmLayout {
  private static final int[] CHANNELS = {320, 640, 1280, 1280};
  private static final int[] VAE_CHANNELS = {128, 256, 512, 512};

  private final Map<String, Shape> tensors = new LinkedHashMap<>();

  private LdmLayout() {}

  static Map<String, Shape> stableDiffusion1() {
    var layout = new LdmLayout();
    layout.unet("model.diffusion_model.");
    layout.encoder("first_stage_model.encoder.");
    layout.decoder("first_stage_model.decoder.");
    layout.conv("first_stage_model.quant_conv", 8, 8, 1);
    layout.conv("first_stage_model.post_quant_conv", 4, 4, 1);
    layout.clip("cond_stage_model.transformer.text_model.");
    return layout.tensors;
  }

  private void unet(String p) {
    linear(p + "time_embed.0", 1280, 320);
    linear(p + "time_embed.2", 1280, 1280);
    conv(p + "input_blocks.0.0", 320, 4, 3);
    int n = 1;
    int ch = 320;
    var skips = new ArrayDeque<Integer>();
    skips.push(320);
    for (int level = 0; level < 4; level++) {
      for (int i = 0; i < 2; i++) {
        resBlock(p + "input_blocks." + n + ".0.", ch, CHANNELS[level]);
        ch = CHANNELS[level];
        if (level < 3) {
          transformer(p + "input_blocks." + n + ".1.", ch);
        }
        skips.push(ch);
        n++;
      }
      if (level < 3) {
        conv(p + "input_blocks." + n++ + ".0.op", ch, ch, 3);
        skips.push(ch);
      }
    }
    resBlock(p + "middle_block.0.", ch, ch);
    transformer(p + "middle_block.1.", ch);
    resBlock(p + "middle_block.2.", ch, ch);
    n = 0;
    for (int level = 3; level >= 0; level--) {
      for (int i = 0; i < 3; i++) {
        String block = p + "output_blocks." + n++ + ".";
        resBlock(block + "0.", ch + skips.pop(), CHANNELS[level]);
        ch = CHANNELS[level];
        int next = 1;
        if (level < 3) {
          transformer(block + next++ + ".", ch);
        }
        if (level > 0 && i == 2) {
          conv(block + next + ".conv", ch, ch, 3);
        }
      }
    }
    norm(p + "out.0", 320);
    conv(p + "out.2", 4, 320, 3);
  }

  private void resBlock(String p, int in, int out) {
    norm(p + "in_layers.0", in);
    conv(p + "in_layers.2", out, in, 3);
    linear(p + "emb_layers.1", out, 1280);
    norm(p + "out_layers.0", out);
    conv(p + "out_layers.3", out, out, 3);
    if (in != out) {
      conv(p + "skip_connection", out, in, 1);
    }
  }

  private void transformer(String p, int ch) {
    norm(p + "norm", ch);
    conv(p + "proj_in", ch, ch, 1);
    String block = p + "transformer_blocks.0.";
    for (int i = 1; i <= 2; i++) {
      int context = i == 1 ? ch : 768;
      tensor(block + "attn" + i + ".to_q.weight", ch, ch);
      tensor(block + "attn" + i + ".to_k.weight", ch, context);
      tensor(block + "attn" + i + ".to_v.weight", ch, context);
      linear(block + "attn" + i + ".to_out.0", ch, ch);
    }
    linear(block + "ff.net.0.proj", 8 * ch, ch);
    linear(block + "ff.net.2", ch, 4 * ch);
    for (int i = 1; i <= 3; i++) {
      norm(block + "norm" + i, ch);
    }
    conv(p + "proj_out", ch, ch, 1);
  }

  private void encoder(String p) {
    conv(p + "conv_in", 128, 3, 3);
    int in = 128;
    for (int level = 0; level < 4; level++) {
      for (int i = 0; i < 2; i++) {
        vaeBlock(p + "down." + level + ".block." + i + ".", in, VAE_CHANNELS[level]);
        in = VAE_CHANNELS[level];
      }
      if (level < 3) {
        conv(p + "down." + level + ".downsample.conv", in, in, 3);
      }
    }
    middle(p);
    norm(p + "norm_out", in);
    conv(p + "conv_out", 8, in, 3);
  }

  private void decoder(String p) {
    conv(p + "conv_in", 512, 4, 3);
    middle(p);
    int in = 512;
    for (int level = 3; level >= 0; level--) {
      for (int i = 0; i < 3; i++) {
        vaeBlock(p + "up." + level + ".block." + i + ".", in, VAE_CHANNELS[level]);
        in = VAE_CHANNELS[level];
      }
      if (level > 0) {
        conv(p + "up." + level + ".upsample.conv", in, in, 3);
      }
    }
    norm(p + "norm_out", in);
    conv(p + "conv_out", 3, in, 3);
  }

  private void middle(String p) {
    vaeBlock(p + "mid.block_1.", 512, 512);
    norm(p + "mid.attn_1.norm", 512);
    for (String name : new String[] {"q", "k", "v", "proj_out"}) {
      conv(p + "mid.attn_1." + name, 512, 512, 1);
    }
    vaeBlock(p + "mid.block_2.", 512, 512);
  }

  private void vaeBlock(String p, int in, int out) {
    norm(p + "norm1", in);
    conv(p + "conv1", out, in, 3);
    norm(p + "norm2", out);
    conv(p + "conv2", out, out, 3);
    if (in != out) {
      conv(p + "nin_shortcut", out, in, 1);
    }
  }

  private void clip(String p) {
    tensor(p + "embeddings.token_embedding.weight", 49408, 768);
    tensor(p + "embeddings.position_embedding.weight", 77, 768);
    for (int i = 0; i < 12; i++) {
      String layer = p + "encoder.layers." + i + ".";
      norm(layer + "layer_norm1", 768);
      for (String name : new String[] {"q", "k", "v", "out"}) {
        linear(layer + "self_attn." + name + "_proj", 768, 768);
      }
      norm(layer + "layer_norm2", 768);
      linear(layer + "mlp.fc1", 3072, 768);
      linear(layer + "mlp.fc2", 768, 3072);
    }
    norm(p + "final_layer_norm", 768);
  }

  private void conv(String name, int out, int in, int kernel) {
    tensor(name + ".weight", out, in, kernel, kernel);
    tensor(name + ".bias", out);
  }

  private void linear(String name, int out, int in) {
    tensor(name + ".weight", out, in);
    tensor(name + ".bias", out);
  }

  private void norm(String name, int size) {
    tensor(name + ".weight", size);
    tensor(name + ".bias", size);
  }

  private void tensor(String name, long... dims) {
    tensors.put(name, Shape.of(dims));
  }
}
