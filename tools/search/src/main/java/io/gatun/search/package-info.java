/// Search in documents, by words (BM25) and by meaning (vectors of a
/// [io.gatun.models.TextEmbedder]), in a folder of Lucene's.
///
/// [Index] is what a user opens. On the way in, `FileReader` makes text of a file, [Chunker] cuts
/// it by tokens, an [Embedder] makes vectors, and `Store` writes all chunks of a document at once.
/// On the way out, the ranks by words and by vectors are joined (reciprocal rank fusion), a
/// [io.gatun.models.Reranker] may sort the best once more, and each [Passage] says where it stands.
package io.gatun.search;
