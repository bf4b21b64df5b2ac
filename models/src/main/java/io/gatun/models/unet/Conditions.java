package io.gatun.models.unet;

import java.util.ArrayList;
import java.util.List;

/// The cross-attentions of a network in the order of their making, each of which gets its keys and
/// values from a [Conditioning] by its number here.
final class Conditions {
  private final List<CrossAttention> attentions = new ArrayList<>();

  /// The number of one more.
  int add(CrossAttention attention) {
    attentions.add(attention);
    return attentions.size() - 1;
  }

  List<CrossAttention> attentions() {
    return attentions;
  }
}
