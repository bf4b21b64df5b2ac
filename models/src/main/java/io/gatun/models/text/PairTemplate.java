package io.gatun.models.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How two texts become one input.
///
/// @param slots in order; the two texts are among them
record PairTemplate(List<Slot> slots) {
  /// Stand for the texts.
  static final int FIRST = -1;

  static final int SECOND = -2;

  /// A token, or a text.
  ///
  /// @param id the token's, or FIRST or SECOND
  /// @param type the kind of token that BERT's embedding adds: 0 or 1
  record Slot(int id, int type) {}

  /// BERT's: `[CLS] a [SEP] b [SEP]`, the second text and its end of type 1.
  static PairTemplate bert(int cls, int sep) {
    return new PairTemplate(
        List.of(
            new Slot(cls, 0),
            new Slot(FIRST, 0),
            new Slot(sep, 0),
            new Slot(SECOND, 1),
            new Slot(sep, 1)));
  }

  /// RoBERTa's: `<s> a </s></s> b </s>`, all of one type.
  static PairTemplate roberta(int cls, int sep) {
    return new PairTemplate(
        List.of(
            new Slot(cls, 0),
            new Slot(FIRST, 0),
            new Slot(sep, 0),
            new Slot(sep, 0),
            new Slot(SECOND, 0),
            new Slot(sep, 0)));
  }

  /// The input of `most` tokens at most: the longer text loses tokens at its end first, as in
  /// transformers' `longest_first`.
  ///
  /// @throws IllegalArgumentException if there is no room for the template itself
  TokenPair fill(int[] first, int[] second, int most) {
    int room = most - (slots.size() - 2);
    if (room < 0) {
      throw new IllegalArgumentException(
          "%d tokens cannot hold two texts: %d are put around them"
              .formatted(most, slots.size() - 2));
    }
    int kept1 = first.length;
    int kept2 = second.length;
    if (kept1 + kept2 > room) {
      int less = Math.min(kept1, kept2);
      int more = less > room ? less : Math.max(less, room - less);
      if (less + more > room) {
        less = room / 2;
        more = room - less;
      }
      kept1 = first.length > second.length ? more : less;
      kept2 = first.length > second.length ? less : more;
    }
    var ids = new Ids();
    var types = new ArrayList<Integer>();
    for (Slot slot : slots) {
      int before = ids.size();
      switch (slot.id()) {
        case FIRST -> ids.addAll(Arrays.copyOf(first, kept1));
        case SECOND -> ids.addAll(Arrays.copyOf(second, kept2));
        default -> ids.add(slot.id());
      }
      for (int i = before; i < ids.size(); i++) {
        types.add(slot.type());
      }
    }
    int cut = first.length - kept1 + second.length - kept2;
    return new TokenPair(ids.toArray(), types.stream().mapToInt(Integer::intValue).toArray(), cut);
  }
}
