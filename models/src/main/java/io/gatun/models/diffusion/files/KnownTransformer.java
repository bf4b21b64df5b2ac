package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.diffusion.files.TextEncoderFile.Kind;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The diffusion transformers whose files Gatun knows by their tensors, as diffusers or their
/// makers name them, and what their pipelines have that such files leave out.
enum KnownTransformer {
  SD3(
      "Stable Diffusion 3",
      "StableDiffusion3Pipeline",
      "SD3Transformer2DModel",
      "pos_embed.pos_embed",
      "joint_blocks.0.x_block.attn.qkv.weight",
      List.of(Kind.CLIP, Kind.CLIP, Kind.T5),
      """
      {"scaling_factor": 1.5305, "shift_factor": 0.0609}\
      """,
      """
      {"shift": 3.0}\
      """),
  FLUX(
      "FLUX.1",
      "FluxPipeline",
      "FluxTransformer2DModel",
      "single_transformer_blocks.0.proj_mlp.weight",
      "double_blocks.0.img_mod.lin.weight",
      List.of(Kind.CLIP, Kind.T5),
      """
      {"scaling_factor": 0.3611, "shift_factor": 0.1159}\
      """,
      """
      {"shift": 1.0}\
      """),
  FLUX2(
      "FLUX.2 klein",
      "Flux2KleinPipeline",
      "Flux2Transformer2DModel",
      "double_stream_modulation_img.linear.weight",
      "double_stream_modulation_img.lin.weight",
      List.of(Kind.LANGUAGE_MODEL),
      """
      {"_class_name": "AutoencoderKLFlux2", "latent_channels": 32, "batch_norm_eps": 1e-4,
       "patch_size": [2, 2], "use_quant_conv": true, "use_post_quant_conv": true}\
      """,
      """
      {"shift": 3.0, "use_dynamic_shifting": true}\
      """),
  Z_IMAGE(
      "Z-Image",
      "ZImagePipeline",
      "ZImageTransformer2DModel",
      "all_x_embedder.2-1.weight",
      "noise_refiner.0.attention.qkv.weight",
      List.of(Kind.LANGUAGE_MODEL),
      """
      {"scaling_factor": 0.3611, "shift_factor": 0.1159}\
      """,
      """
      {"shift": 3.0}\
      """);

  /// A network in a file.
  ///
  /// @param prefix what all its names begin with
  /// @param original whether it has its makers' names, not diffusers'
  /// @param blocks of those that have weights for the text, too, so many
  record Found(KnownTransformer kind, String prefix, boolean original, int blocks) {
    /// Where the file keeps the tensors.
    WeightNames names() {
      return original
          ? TransformerNames.of(kind.className, blocks, prefix)
          : name -> WeightNames.Stored.of(prefix + name);
    }
  }

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> PREFIXES = List.of("", LdmNames.UNET_PREFIX);

  private static final String VAE =
      """
      {"in_channels": 3, "out_channels": 3, "latent_channels": 16,
       "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
         "DownEncoderBlock2D"],
       "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
         "UpDecoderBlock2D"],
       "norm_num_groups": 32, "use_quant_conv": false, "use_post_quant_conv": false}\
      """;

  /// What FLUX.1-dev and FLUX.2 shift times by, where they do.
  private static final String SCHEDULER =
      """
      {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000,
       "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256,
       "max_image_seq_len": 4096}\
      """;

  private static final String GUIDANCE = "time_text_embed.guidance_embedder.linear_1.weight";

  /// A head of Stable Diffusion 3, where no norm shows it.
  private static final long SD3_HEAD = 64;

  private final String title;
  private final String pipeline;
  private final String className;
  private final String mark;
  private final String originalMark;
  private final List<Kind> textEncoders;
  private final String vae;
  private final String scheduler;

  KnownTransformer(
      String title,
      String pipeline,
      String className,
      String mark,
      String originalMark,
      List<Kind> textEncoders,
      String vae,
      String scheduler) {
    this.title = title;
    this.pipeline = pipeline;
    this.className = className;
    this.mark = mark;
    this.originalMark = originalMark;
    this.textEncoders = textEncoders;
    this.vae = vae;
    this.scheduler = scheduler;
  }

  /// The network that a file holds, if it is one of these.
  static Optional<Found> find(Checkpoint checkpoint) {
    var names = checkpoint.tensors().keySet();
    for (var kind : values()) {
      for (String prefix : PREFIXES) {
        boolean original = names.contains(prefix + kind.originalMark);
        if (original || names.contains(prefix + kind.mark)) {
          return Optional.of(
              new Found(kind, prefix, original, original ? blocks(names, prefix) : 0));
        }
      }
    }
    return Optional.empty();
  }

  /// Stable Diffusion 3's.
  private static int blocks(Set<String> names, String prefix) {
    int n = 0;
    while (names.contains("%sjoint_blocks.%d.x_block.attn.qkv.weight".formatted(prefix, n))) {
      n++;
    }
    return n;
  }

  String title() {
    return title;
  }

  String className() {
    return className;
  }

  /// The kinds of the pipeline's text encoders, `text_encoder`, `text_encoder_2` and so on. Stable
  /// Diffusion 3 does without T5.
  List<Kind> textEncoders() {
    return textEncoders;
  }

  /// The configurations of the pipeline but for its text encoders, by the parts' names.
  ///
  /// @param base whether FLUX.2 was not distilled, which its tensors do not show
  ObjectNode configs(Weights network, boolean base) {
    var all = JSON.createObjectNode();
    all.putObject("model_index").put("_class_name", pipeline).put("is_distilled", !base);
    all.set("transformer", network(network).put("_class_name", className));
    all.set("vae", merged(VAE, vae));
    var times = merged(SCHEDULER, scheduler);
    if (this == FLUX && network.has(GUIDANCE)) {
      times.put("shift", 3.0).put("use_dynamic_shifting", true);
    }
    all.set("scheduler", times);
    return all;
  }

  private static ObjectNode merged(String first, String second) {
    try {
      var out = (ObjectNode) JSON.readTree(first);
      return out.setAll((ObjectNode) JSON.readTree(second));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /// The network's configuration, as far as its tensors show it, and else that of all published
  /// ones.
  private ObjectNode network(Weights w) {
    var out = JSON.createObjectNode();
    switch (this) {
      case SD3 -> {
        int layers = count(w, "transformer_blocks", "norm1.linear.weight");
        long width = w.shape("context_embedder.weight").dim(0);
        var patches = w.shape("pos_embed.proj.weight");
        boolean norms = w.has("transformer_blocks.0.attn.norm_q.weight");
        long head = norms ? w.shape("transformer_blocks.0.attn.norm_q.weight").dim(0) : SD3_HEAD;
        out.put("num_layers", layers)
            .put("num_attention_heads", width / head)
            .put("attention_head_dim", head)
            .put("caption_projection_dim", width)
            .put("in_channels", patches.dim(1))
            .put("patch_size", patches.dim(2))
            .put("joint_attention_dim", w.shape("context_embedder.weight").dim(1))
            .put(
                "pooled_projection_dim",
                w.shape("time_text_embed.text_embedder.linear_1.weight").dim(1))
            .put("pos_embed_max_size", Math.round(Math.sqrt(w.shape("pos_embed.pos_embed").dim(1))))
            .put("qk_norm", norms ? "rms_norm" : null);
        var dual = out.putArray("dual_attention_layers");
        for (int i = 0; i < layers; i++) {
          if (w.has("transformer_blocks.%d.attn2.to_q.weight".formatted(i))) {
            dual.add(i);
          }
        }
      }
      case FLUX -> {
        flux(w, out);
        out.put(
                "pooled_projection_dim",
                w.shape("time_text_embed.text_embedder.linear_1.weight").dim(1))
            .put("guidance_embeds", w.has(GUIDANCE));
        out.putArray("axes_dims_rope").add(16).add(56).add(56);
      }
      case FLUX2 -> {
        flux(w, out);
        var down = w.shape("transformer_blocks.0.ff.linear_out.weight");
        out.put("mlp_ratio", (double) down.dim(1) / down.dim(0))
            .put("guidance_embeds", w.has("time_guidance_embed.guidance_embedder.linear_1.weight"))
            .put(
                "timestep_guidance_channels",
                w.shape("time_guidance_embed.timestep_embedder.linear_1.weight").dim(1));
        out.putArray("axes_dims_rope").add(32).add(32).add(32).add(32);
      }
      case Z_IMAGE -> {
        var in = w.shape("all_x_embedder.2-1.weight");
        long heads = in.dim(0) / w.shape("layers.0.attention.norm_q.weight").dim(0);
        out.put("dim", in.dim(0))
            .put("in_channels", in.dim(1) / 4)
            .put("n_heads", heads)
            .put("n_kv_heads", heads)
            .put("n_layers", count(w, "layers", "attention.to_q.weight"))
            .put("n_refiner_layers", count(w, "noise_refiner", "attention.to_q.weight"))
            .put("cap_feat_dim", w.shape("cap_embedder.1.weight").dim(1))
            .put("qk_norm", true);
        out.putArray("all_patch_size").add(2);
        out.putArray("all_f_patch_size").add(1);
        out.putArray("axes_dims").add(32).add(48).add(48);
      }
    }
    return out;
  }

  /// What FLUX.1 and FLUX.2 have alike.
  private static void flux(Weights w, ObjectNode out) {
    var in = w.shape("x_embedder.weight");
    long head = w.shape("transformer_blocks.0.attn.norm_q.weight").dim(0);
    out.put("in_channels", in.dim(1))
        .put("num_attention_heads", in.dim(0) / head)
        .put("attention_head_dim", head)
        .put("num_layers", count(w, "transformer_blocks", "attn.to_q.weight"))
        .put("num_single_layers", count(w, "single_transformer_blocks", "attn.norm_q.weight"))
        .put("joint_attention_dim", w.shape("context_embedder.weight").dim(1));
  }

  private static int count(Weights weights, String list, String tensor) {
    int n = 0;
    while (weights.has("%s.%d.%s".formatted(list, n, tensor))) {
      n++;
    }
    return n;
  }
}
