/// Encoders of texts (BERT and its heirs), from whose states come embeddings and scores: each
/// architecture a file, over shared parts.
///
/// [TokenBatch] holds texts of any lengths one after the other, without padding; [TextEncoder] is
/// an architecture; [SentenceFiles] is what the files beside a checkpoint say of it. Shape legend:
/// T tokens of all texts, D hidden size, H heads, C head size.
package io.gatun.models.encoder;
