package io.gatun.models.diffusion.lora;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// How files of adaptations name what they adapt, in two tables: what stands before and what stands
/// behind a module's name.
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
/// | XLabs, FLUX.1 | `double_blocks.0.processor.qkv_lora1.down.weight` |
/// | OneTrainer | `lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight` |
/// | LyCORIS | `lycoris_transformer_blocks_0_attn_to_q.lokr_w1`, or kohya-ss's names |
final class LoraNames {
  /// What a tensor is to the matrix that it makes with others.
  enum Role {
    DOWN,
    UP,
    /// Between both.
    CORE,
    HADA_1_A,
    HADA_1_B,
    HADA_1_CORE,
    HADA_2_A,
    HADA_2_B,
    HADA_2_CORE,
    LOKR_1,
    LOKR_1_A,
    LOKR_1_B,
    LOKR_2,
    LOKR_2_A,
    LOKR_2_B,
    LOKR_2_CORE,
    /// The matrix itself.
    WHOLE,
    MAGNITUDE,
    ALPHA
  }

  /// Endings, longer ones before those that they end with.
  private static final Map<String, Role> ENDINGS = new LinkedHashMap<>();

  /// Parts of names of adaptations that are no matrix to add.
  private static final Map<String, String> UNSUPPORTED = new LinkedHashMap<>();

  static {
    ENDINGS.put(".lora_down.weight", Role.DOWN);
    ENDINGS.put(".lora_up.weight", Role.UP);
    ENDINGS.put(".lora_mid.weight", Role.CORE);
    for (String name : List.of(".lora_%s.weight", ".lora_%s.default.weight")) {
      ENDINGS.put(name.formatted("A"), Role.DOWN);
      ENDINGS.put(name.formatted("B"), Role.UP);
    }
    for (String name :
        List.of(".lora.%s.weight", ".lora_linear_layer.%s.weight", "_lora.%s.weight")) {
      ENDINGS.put(name.formatted("down"), Role.DOWN);
      ENDINGS.put(name.formatted("up"), Role.UP);
    }
    ENDINGS.put(".hada_w1_a", Role.HADA_1_A);
    ENDINGS.put(".hada_w1_b", Role.HADA_1_B);
    ENDINGS.put(".hada_t1", Role.HADA_1_CORE);
    ENDINGS.put(".hada_w2_a", Role.HADA_2_A);
    ENDINGS.put(".hada_w2_b", Role.HADA_2_B);
    ENDINGS.put(".hada_t2", Role.HADA_2_CORE);
    ENDINGS.put(".lokr_w1", Role.LOKR_1);
    ENDINGS.put(".lokr_w1_a", Role.LOKR_1_A);
    ENDINGS.put(".lokr_w1_b", Role.LOKR_1_B);
    ENDINGS.put(".lokr_w2", Role.LOKR_2);
    ENDINGS.put(".lokr_w2_a", Role.LOKR_2_A);
    ENDINGS.put(".lokr_w2_b", Role.LOKR_2_B);
    ENDINGS.put(".lokr_t2", Role.LOKR_2_CORE);
    ENDINGS.put(".diff", Role.WHOLE);
    ENDINGS.put(".dora_scale", Role.MAGNITUDE);
    ENDINGS.put(".lora_magnitude_vector", Role.MAGNITUDE);
    ENDINGS.put(".lora_magnitude_vector.weight", Role.MAGNITUDE);
    ENDINGS.put(".lora_magnitude_vector.default.weight", Role.MAGNITUDE);
    ENDINGS.put(".alpha", Role.ALPHA);
    UNSUPPORTED.put(".oft_", "an OFT");
    UNSUPPORTED.put(".diff_b", "a difference of a bias");
    UNSUPPORTED.put(".w_norm", "a difference of a norm");
    UNSUPPORTED.put(".b_norm", "a difference of a norm");
    UNSUPPORTED.put(".a1.weight", "a GLoRA");
    UNSUPPORTED.put(".on_input", "an (IA)3");
    UNSUPPORTED.put(".lora_B.bias", "an adaptation of a bias");
  }

  /// XLabs numbers those of the image 1, of the text 2.
  private static final Pattern XLABS = Pattern.compile("(.+_lora[12])\\.(down|up)\\.weight");

  private static final String KOHYA = "lora_unet_";
  private static final String LYCORIS = "lycoris_";
  private static final String DIFFUSION_MODEL = "diffusion_model.";

  /// A tensor's name, taken apart.
  record Key(String module, Role role) {}

  private LoraNames() {}

  /// What a tensor is to which module, or null if it is no part of an adaptation.
  static Key key(String name) {
    var xlabs = XLABS.matcher(name);
    if (xlabs.matches()) {
      return new Key(xlabs.group(1), xlabs.group(2).equals("up") ? Role.UP : Role.DOWN);
    }
    for (Map.Entry<String, Role> ending : ENDINGS.entrySet()) {
      if (name.endsWith(ending.getKey())) {
        String module = name.substring(0, name.length() - ending.getKey().length());
        return new Key(module, ending.getValue());
      }
    }
    return null;
  }

  /// The names that a module's tensor may have that is that to it.
  static List<String> names(String module, Role role) {
    return ENDINGS.entrySet().stream()
        .filter(ending -> ending.getValue() == role)
        .map(ending -> module + ending.getKey())
        .toList();
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
    return List.of(
        KOHYA + module.replace('.', '_'),
        DIFFUSION_MODEL + module,
        "base_model.model." + module,
        module);
  }

  /// kohya-ss calls all networks UNets, and T5 the third text encoder, even of two.
  private static List<String> prefixes(String part) {
    return switch (part) {
      case "unet" -> List.of(KOHYA, LYCORIS);
      case "transformer" -> List.of(KOHYA, "lora_transformer_", LYCORIS);
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
