/// Decoder-only language models: what all are made of. Each architecture is one file in
/// `decoder.arch`, which puts these parts together.
///
/// - [io.gatun.models.decoder.Keys] reads the configuration,
///   [io.gatun.models.decoder.DecoderWeights] the tensors, whichever of three families of
///   checkpoints they come from.
/// - [io.gatun.models.decoder.Decoder] is embedding, layers and output; a
///   [io.gatun.models.decoder.DecoderLayer] is made of [io.gatun.models.decoder.Norm],
///   [io.gatun.models.decoder.SelfAttention] and a [io.gatun.models.decoder.FeedForward].
///
/// Shapes: T tokens, D hidden size, F feed-forward size, H heads, G key/value heads, C head size, E
/// experts, V vocabulary.
package io.gatun.models.decoder;
