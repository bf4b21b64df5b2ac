/// Attention, of tensors and of the pages of sequences; not exported.
///
/// | to change | see |
/// |---|---|
/// | what is refused, and what serves which attention | [Attention][io.gatun.tensor.ops.attention.Attention] |
/// | the loop over blocks, what workers share, the running softmax | [FlashAttention][io.gatun.tensor.ops.attention.FlashAttention] |
/// | sizes of blocks and parts, which keys a block sees | [AttentionShape][io.gatun.tensor.ops.attention.AttentionShape] |
/// | products with tensors | [DenseF32Products][io.gatun.tensor.ops.attention.DenseF32Products], [DenseOneDnnProducts][io.gatun.tensor.ops.attention.DenseOneDnnProducts] |
/// | products with pages | [PagedF32Products][io.gatun.tensor.ops.attention.PagedF32Products], [PagedBf16Products][io.gatun.tensor.ops.attention.PagedBf16Products] |
/// | how keys and values lie in pages, and how they get there | [KvPages][io.gatun.tensor.sequence.KvPages], [KeyValues][io.gatun.tensor.ops.attention.KeyValues] |
/// | the definition that all are tested against | [ScalarAttention][io.gatun.tensor.ops.attention.ScalarAttention] |
///
/// Shape legend: B batches, T queries, S keys, H heads, G heads of keys and values, K and V the
/// sizes of a key and a value.
package io.gatun.tensor.ops.attention;
