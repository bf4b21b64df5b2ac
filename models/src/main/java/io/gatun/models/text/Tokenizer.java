package io.gatun.models.text;

/// Text to token ids and back.
public interface Tokenizer {
  /// The ids of `text`; `special` adds what the model expects around it (BOS, EOS) and lets special
  /// tokens written in the text stand for themselves.
  int[] encode(String text, boolean special);

  /// The bytes of one token: possibly only a part of a UTF-8 character.
  byte[] bytes(int id);
}
