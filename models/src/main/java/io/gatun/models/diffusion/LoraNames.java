package io.gatun.models.diffusion;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// How files of low-rank adaptations name what they adapt, in two tables: what stands before and
/// what stands behind a module's name.
///
/// | layout | example |
/// |---|---|
/// | kohya-ss | `lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight`, `....alpha` |
/// | kohya-ss, SDXL | `lora_unet_input_blocks_4_1_proj_in.lora_down.weight` |
/// | diffusers | `unet.down_blocks.0.attentions.0.proj_in.lora.down.weight` |
/// | diffusers, once | `unet.down_blocks.0...attn1.processor.to_q_lora.down.weight` |
/// | PEFT | `unet.down_blocks.0.attentions.0.proj_in.lora_A.weight` |
/// | ComfyUI, ai-toolkit | `diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight` |
/// | kohya-ss, FLUX.1 | `lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight` |
/// | OneTrainer | `lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight` |
final class LoraNames {
  /// The endings of the first matrix, and of the second in its place.
  private static final Map<String, String> ENDINGS = new LinkedHashMap<>();

  /// Endings of adaptations that are not a product of two matrices.
  private static final Map<String, String> UNSUPPORTED = new LinkedHashMap<>();

  static {
    ENDINGS.put(".lora_down.weight", ".lora_up.weight");
    ENDINGS.put(".lora_A.weight", ".lora_B.weight");
    ENDINGS.put(".lora_A.default.weight", ".lora_B.default.weight");
    ENDINGS.put(".lora.down.weight", ".lora.up.weight");
    ENDINGS.put(".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight");
    ENDINGS.put("_lora.down.weight", "_lora.up.weight");
    UNSUPPORTED.put(".hada_", "a LoHa");
    UNSUPPORTED.put(".lokr_", "a LoKr");
    UNSUPPORTED.put(".lora_mid.", "a LoCon in Tucker form");
    UNSUPPORTED.put(".dora_scale", "a DoRA");
    UNSUPPORTED.put(".lora_magnitude_vector", "a DoRA");
    UNSUPPORTED.put(".oft_", "an OFT");
    UNSUPPORTED.put(".diff", "a full difference of weights");
  }

  private static final String KOHYA = "lora_unet_";
  private static final String DIFFUSION_MODEL = "diffusion_model.";

  /// A matrix's name, taken apart.
  record Key(String module, String upName, boolean isDown) {}

  private LoraNames() {}

  /// The module that a tensor adapts, or null if it is no matrix of an adaptation.
  static Key key(String name) {
    for (Map.Entry<String, String> ending : ENDINGS.entrySet()) {
      if (name.endsWith(ending.getKey())) {
        String module = name.substring(0, name.length() - ending.getKey().length());
        return new Key(module, module + ending.getValue(), true);
      }
      if (name.endsWith(ending.getValue())) {
        String module = name.substring(0, name.length() - ending.getValue().length());
        return new Key(module, name, false);
      }
    }
    return null;
  }

  /// What kind of adaptation a tensor belongs to that Gatun does not have, or null.
  static String unsupported(String name) {
    for (Map.Entry<String, String> kind : UNSUPPORTED.entrySet()) {
      if (name.contains(kind.getKey())) {
        return kind.getValue();
      }
    }
    return null;
  }

  /// The names under which files may have a module.
  ///
  /// @param part of the pipeline: `unet`, `transformer`, `text_encoder`
  static List<String> candidates(String part, String module) {
    var names = new ArrayList<String>();
    String flat = module.replace('.', '_');
    prefixes(part).forEach(prefix -> names.add(prefix + flat));
    if (isNetwork(part)) {
      names.add(module); // a network's adaptations alone
      names.add(DIFFUSION_MODEL + module);
    }
    names.add(part + "." + module);
    names.add("base_model.model." + module);
    names.add(part + ".base_model.model." + module);
    // Where attention had its adaptations beside its weights: attn1.processor.to_q_lora,
    // attn1.processor.to_out_lora.
    int dot = module.replaceFirst("\\.0$", "").lastIndexOf('.');
    if (dot >= 0 && module.startsWith("to_", dot + 1)) {
      String processor =
          module.substring(0, dot) + ".processor." + module.substring(dot + 1).replace(".0", "");
      names.add(processor);
      names.add(part + "." + processor);
    }
    return names;
  }

  /// The names under which files may have a module of the makers' own layout.
  static List<String> originals(String module) {
    return List.of(KOHYA + module.replace('.', '_'), DIFFUSION_MODEL + module, module);
  }

  /// kohya-ss calls all networks UNets, and T5 the third text encoder, even of two.
  private static List<String> prefixes(String part) {
    return switch (part) {
      case "unet" -> List.of(KOHYA);
      case "transformer" -> List.of(KOHYA, "lora_transformer_");
      case "text_encoder" -> List.of("lora_te_", "lora_te1_");
      case "text_encoder_2" -> List.of("lora_te2_", "lora_te3_");
      case "text_encoder_3" -> List.of("lora_te3_");
      default -> throw new IllegalArgumentException(part + " is never adapted");
    };
  }

  private static boolean isNetwork(String part) {
    return part.equals("unet") || part.equals("transformer");
  }
}
