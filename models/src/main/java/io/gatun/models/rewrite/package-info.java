/// Checkpoints of decoders written again: quantized, packed into tiles, or as GGUF.
package io.gatun.models.rewrite;
