/// T5's encoder (Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified
/// Text-to-Text Transformer", arXiv:1910.10683), version 1.1, which text-to-image transformers read
/// prompts with. Shapes: S tokens, D d_model, H heads, K d_kv.
package io.gatun.models.t5;
