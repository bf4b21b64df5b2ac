package io.gatun.models;

import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.models.text.Tokenizer;
import java.util.Arrays;

/// Guesses what a large model writes by what a small one of the same vocabulary would, always its
/// most probable token. Not for several threads at once.
///
/// ```java
/// try (var llm = Llm.load(large);
///     var small = Llm.load(path, o -> o.ops(llm.ops()));
///     var draft = new DraftModel(llm, small)) {
///   llm.generate(prompt, o -> o.drafter(draft));
/// }
/// ```
public final class DraftModel implements Drafter {
  private final LlmSession session;

  /// @param draft stays open as long as this is used
  /// @throws IllegalArgumentException if the two models' tokens are not the same
  public DraftModel(Llm llm, Llm draft) {
    checkTokens(llm, draft);
    session = draft.newSession();
  }

  private static void checkTokens(Llm llm, Llm draft) {
    Tokenizer large = llm.tokenizer();
    Tokenizer small = draft.tokenizer();
    int n = Math.min(large.size(), small.size());
    int id = 0;
    while (id < n
        && large.has(id) == small.has(id)
        && (!large.has(id) || large.piece(id).equals(small.piece(id)))) {
      id++;
    }
    if (id < n || large.size() != small.size()) {
      throw new IllegalArgumentException(
          "%s cannot guess for %s: their tokens differ from number %d on; need two models of one vocabulary"
              .formatted(draft.checkpoint().path(), llm.checkpoint().path(), id));
    }
  }

  @Override
  public int[] draft(int[] tokens, int length, int most) {
    if (length + most > session.capacity()) {
      return new int[0];
    }
    return session
        .generate(
            Arrays.copyOf(tokens, length), o -> o.maxTokens(most).sampling(SamplingOptions.GREEDY))
        .ids();
  }

  /// Gives back the draft's memory; the models stay open.
  @Override
  public void close() {
    session.close();
  }
}
