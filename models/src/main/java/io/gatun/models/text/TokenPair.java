package io.gatun.models.text;

/// Two texts as one input of a model that compares them.
///
/// @param ids the tokens
/// @param types for each token what BERT calls its type, or segment: 0 or 1
/// @param cut how many tokens of the texts were left out, because there was no room
@SuppressWarnings("ArrayRecordComponent") // never compared
public record TokenPair(int[] ids, int[] types, int cut) {}
