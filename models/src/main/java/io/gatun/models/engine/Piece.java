package io.gatun.models.engine;

import io.gatun.models.sampling.TokenLogprobs;

/// What comes with one token of an answer.
///
/// @param token -1 at the end, for text that was held back
/// @param text that it completes: often empty, as a character or what may become a stop text is
///   never handed out in part
/// @param thought what it completes of what the model thinks before it answers
/// @param logprobs null if the request did not ask for them
public record Piece(int token, String text, String thought, TokenLogprobs logprobs) {}
