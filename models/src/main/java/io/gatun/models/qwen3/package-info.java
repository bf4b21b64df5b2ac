/// Qwen3 (Yang et al. 2025, arXiv:2505.09388) as a reader of prompts for text-to-image networks,
/// which want what its inner layers make of a text and of the padding behind it. As a model that
/// writes it is one of [io.gatun.models.decoder.arch]. Shapes: S tokens, D hidden_size, H heads, G
/// key-value heads, K head_dim.
package io.gatun.models.qwen3;
