package io.gatun.models;

import io.gatun.models.decoder.Batch;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.Speculation;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;

/// The tokens of a conversation, and the steps in which the model reads them. For one thread at a
/// time.
final class ReadTokens {
  /// Prompt tokens that are read in one step; more would only take more memory.
  private static final int CHUNK = 512;

  private final Llm llm;
  private final Sequence sequence;
  private final int vocabulary;
  private int[] tokens = new int[64];
  private int length;

  /// One F32 for each token of the vocabulary.
  private final MemorySegment logits;

  ReadTokens(Llm llm, Sequence sequence) {
    this.llm = llm;
    this.sequence = sequence;
    vocabulary = llm.model().config().vocabSize();
    logits = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, vocabulary);
  }

  int length() {
    return length;
  }

  int[] toArray() {
    return Arrays.copyOf(tokens, length);
  }

  /// What [#read] found to follow.
  MemorySegment logits() {
    return logits;
  }

  /// Forgets all tokens from position `to` on.
  void cut(int to) {
    length = Math.min(length, to);
    sequence.truncate(sequence.restorable(length));
  }

  /// Forgets what a prompt does not begin with, and its last token: one at least must be read, to
  /// have logits.
  void keepAlike(int[] prompt) {
    int kept = Arrays.mismatch(tokens, 0, length, prompt, 0, prompt.length);
    cut(Math.min(kept < 0 ? length : kept, prompt.length - 1));
  }

  /// Reads all of `ids`, or, if that fails, none.
  void read(int[] ids) {
    Objects.requireNonNull(ids, "the tokens are null");
    checkPrompt(ids.length);
    checkRoom(ids.length);
    checkIds(ids);
    int before = length;
    append(ids);
    try {
      readAppended(true);
    } catch (RuntimeException | Error e) {
      undo(before);
      throw e;
    }
  }

  /// Forgets what a failed call has read.
  private void undo(int before) {
    length = before;
    if (!sequence.owner().isClosed()) {
      cut(before);
    }
  }

  /// Reads what the sequence does not hold yet.
  ///
  /// @param answered whether the logits after the last token are needed
  private void readAppended(boolean answered) {
    for (int from = sequence.length(); from < length; from = sequence.length()) {
      int to = Math.min(length, from + CHUNK);
      step(Arrays.copyOfRange(tokens, from, to), answered && to == length);
      sequence.save();
    }
  }

  /// Makes sure that there is something to read.
  static void checkPrompt(int tokens) {
    if (tokens == 0) {
      throw new IllegalArgumentException(
          "there is nothing to read: the prompt is empty, and this model puts no token before a"
              + " text. Give at least one character");
    }
  }

  private void checkIds(int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= vocabulary) {
        throw new IllegalArgumentException(
            "token %d is not among the %d that the model's embedding has; the tokenizer, or the configuration beside it, belongs to another model"
                .formatted(id, vocabulary));
      }
    }
  }

  private void checkRoom(int added) {
    if (length + added > sequence.capacity()) {
      throw new IllegalArgumentException(
          ("the text has %d tokens; the context holds %d. Shorten it, or raise the context if the"
                  + " model allows more")
              .formatted(length + added, sequence.capacity()));
    }
  }

  private void step(int[] ids, boolean last) {
    var ops = llm.ops();
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var hidden = llm.model().forward(ops, Batch.of(sequence, ids, last ? 1 : 0));
      if (last) {
        var row = llm.model().logits(ops, hidden); // (1, V)
        logits.copyFrom(row.segment());
        NotFinite.check("the logits", logits, llm.checkpoint());
      }
    }
  }

  private void append(int[] ids) {
    if (length + ids.length > tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, length + ids.length));
    }
    System.arraycopy(ids, 0, tokens, length, ids.length);
    length += ids.length;
  }

  /// Reads all of `ids` but the last, and judges those from `from` on; or, if that fails, none.
  void judge(int[] ids, int from, LlmSession.Judge judge) {
    int read = ids.length - 1;
    checkRoom(read);
    checkIds(ids);
    int before = length;
    try {
      readAppended(false);
      for (int start = 0; start < read; start += CHUNK) {
        judgeChunk(ids, start, Math.min(read, start + CHUNK), from, judge);
      }
    } catch (RuntimeException | Error e) {
      undo(before);
      throw e;
    }
  }

  /// Reads `ids[start]` to `ids[end - 1]`, and judges the token after each from `from` on.
  private void judgeChunk(int[] ids, int start, int end, int from, LlmSession.Judge judge) {
    int[] chunk = Arrays.copyOfRange(ids, start, end);
    // Row t predicts the token after it, start + t + 1.
    int first = Math.clamp(from - 1 - start, 0, chunk.length);
    var ops = llm.ops();
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var batch = Batch.of(sequence, chunk, chunk.length - first);
      var hidden = llm.model().forward(ops, batch); // (judged, D)
      llm.model().logits(ops, hidden, (t, rows) -> judge.judge(start + first + t + 1, rows));
    }
    append(chunk);
  }

  /// Makes room for a token that was written, if that is possible.
  boolean makeRoom(boolean contextShift) {
    if (length < sequence.capacity()) {
      return true;
    }
    if (!contextShift || length <= 2) {
      return false;
    }
    shift();
    return true;
  }

  /// Reads a token that was written, together with a guess of what follows, and chooses what does:
  /// the guess as far as it was right, and a token more.
  ///
  /// @param most how many guessed tokens are of use
  int[] next(int id, int most, Speculation speculation, Sampler sampler) {
    int before = length;
    append(new int[] {id});
    int[] guess = new int[0];
    try {
      int room = Math.min(Math.min(most, Speculation.MOST), sequence.capacity() - length);
      guess = speculation.draft(tokens, length, canForget(room) ? room : 0);
      if (guess.length > 0) {
        sequence.save();
      }
      append(guess);
      int[] chosen = choose(guess, sampler);
      cut(before + chosen.length);
      speculation.done(guess.length, chosen.length - 1);
      return chosen;
    } catch (RuntimeException | Error e) {
      undo(before);
      throw e;
    }
  }

  /// Whether the sequence can forget so many tokens again and keep all that it has read: the states
  /// after the token before are there to be saved, and no page leaves the window meanwhile.
  private boolean canForget(int most) {
    var layout = sequence.layout();
    return sequence.length() == length - 1
        && layout.firstPage(length) == layout.firstPage(length + most);
  }

  /// Reads what is left, and chooses a token after each of the last `guess.length + 1`, as long as
  /// it is the guess.
  private int[] choose(int[] guess, Sampler sampler) {
    var ops = llm.ops();
    while (length - sequence.length() > CHUNK) { // where states had to go far back
      int from = sequence.length();
      step(Arrays.copyOfRange(tokens, from, from + CHUNK), false);
      sequence.save();
    }
    int[] ids = Arrays.copyOfRange(tokens, sequence.length(), length);
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var batch = Batch.of(sequence, ids, guess.length + 1);
      var rows = llm.model().logits(ops, llm.model().forward(ops, batch)); // (guess + 1, V)
      var chosen = new int[guess.length + 1];
      for (int i = 0; ; i++) {
        var row = rows.slice(0, i, i + 1).segment();
        NotFinite.check("the logits", row, llm.checkpoint());
        chosen[i] = sampler.sample(row);
        if (i == guess.length || chosen[i] != guess[i] || llm.tokenizer().isEnd(chosen[i])) {
          return Arrays.copyOf(chosen, i + 1);
        }
      }
    }
  }

  /// Forgets the older half of the tokens but the first, and reads the rest again in its new place:
  /// keys hold their position, and moving them would not give what the model was trained on.
  private void shift() {
    int[] kept = Arrays.copyOfRange(tokens, length / 2, length);
    kept[0] = tokens[0];
    cut(0);
    read(kept);
  }
}
