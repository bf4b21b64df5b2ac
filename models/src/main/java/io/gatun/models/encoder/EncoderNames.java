package io.gatun.models.encoder;

import io.gatun.models.nn.WeightNames;
import java.util.LinkedHashMap;
import java.util.Map;

/// Where files keep an encoder's tensors: under the names of transformers, behind a prefix or none,
/// or under those of GGUF.
final class EncoderNames {
  private static final Map<String, String> GGUF = new LinkedHashMap<>();

  static {
    GGUF.put("embeddings.word_embeddings", "token_embd");
    GGUF.put("embeddings.position_embeddings", "position_embd");
    GGUF.put("embeddings.token_type_embeddings", "token_types");
    GGUF.put("embeddings.LayerNorm", "token_embd_norm");
    GGUF.put("emb_ln", "token_embd_norm");
    GGUF.put("attention.self.query", "attn_q");
    GGUF.put("attention.self.key", "attn_k");
    GGUF.put("attention.self.value", "attn_v");
    GGUF.put("attention.output.dense", "attn_output");
    GGUF.put("attention.output.LayerNorm", "attn_output_norm");
    GGUF.put("intermediate.dense", "ffn_up");
    GGUF.put("output.dense", "ffn_down");
    GGUF.put("output.LayerNorm", "layer_output_norm");
    GGUF.put("attn.Wqkv", "attn_qkv");
    GGUF.put("attn.out_proj", "attn_output");
    GGUF.put("norm1", "attn_output_norm");
    GGUF.put("mlp.fc11", "ffn_up");
    GGUF.put("mlp.fc12", "ffn_gate");
    GGUF.put("mlp.fc2", "ffn_down");
    GGUF.put("norm2", "layer_output_norm");
  }

  private EncoderNames() {}

  /// GGUF's names: `encoder.layer.3.output.dense.weight` is `blk.3.ffn_down.weight`.
  static WeightNames gguf() {
    return name -> {
      int dot = name.lastIndexOf('.');
      String module = name.substring(0, dot);
      String kind = name.substring(dot);
      String block = "";
      if (module.startsWith("encoder.layer")) {
        String[] parts = module.split("\\.", 4);
        block = "blk." + parts[2] + ".";
        module = parts[3];
      }
      return WeightNames.Stored.of(block + GGUF.getOrDefault(module, module) + kind);
    };
  }
}
