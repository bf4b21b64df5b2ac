package io.gatun.search;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;

/// What a language model is told so that it answers from passages and names them by their numbers.
///
/// @param prompt the passages, numbered from 1, and the question
/// @param passages those that it holds: the first, as many as there was room for
public record Grounds(String prompt, List<Passage> passages) {
  private static final String INSTRUCTION =
      "Answer the question from these sources alone, and name those you use by their numbers: [1]."
          + " If they do not hold the answer, say so.";

  /// Copies the list.
  public Grounds {
    passages = List.copyOf(passages);
  }

  /// As many of the passages, the best first, as there is room for.
  ///
  /// @param room the most tokens
  /// @param tokens counts the tokens of a text
  /// @throws IllegalArgumentException if there is no room for the question with one passage
  public static Grounds of(
      String question, List<Passage> passages, int room, ToIntFunction<String> tokens) {
    var taken = new ArrayList<>(passages);
    while (true) {
      String prompt = prompt(question, taken);
      int count = tokens.applyAsInt(prompt);
      if (count <= room) {
        return new Grounds(prompt, taken);
      }
      if (taken.size() <= 1) {
        throw new IllegalArgumentException(
            "the question with one passage has %d tokens, and there is room for %d; ask in fewer words, make the index with smaller chunks (--chunk-tokens), or choose a longer context (--context)"
                .formatted(count, room));
      }
      taken.removeLast();
    }
  }

  private static String prompt(String question, List<Passage> passages) {
    var all = new StringBuilder(INSTRUCTION);
    for (int i = 0; i < passages.size(); i++) {
      var passage = passages.get(i);
      all.append("\n\n[").append(i + 1).append("] ").append(passage.place());
      all.append('\n').append(passage.text());
    }
    return all.append("\n\nQuestion: ").append(question).toString();
  }
}
