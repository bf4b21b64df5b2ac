/// Text in and out of a language model: tokenizers and chat templates.
///
/// [Tokenizers#load] finds a checkpoint's vocabulary, whatever form it comes in, and builds one
/// [Tokenizer]: text is split at added tokens, normalized, cut into words (pre-tokenized), each
/// word becomes ids ([Model]), and BOS and EOS are put around it; the way back is a
/// [StreamingDecoder]. The stages and their names are those of Hugging Face's `tokenizer.json`;
/// SentencePiece and GGUF vocabularies are expressed in the same stages.
package io.gatun.models.text;
