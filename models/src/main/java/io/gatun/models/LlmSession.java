package io.gatun.models;

import io.gatun.models.constraint.AnswerMask;
import io.gatun.models.decoder.Batch;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.Speculation;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/// One conversation: the tokens so far and what the model keeps of them.
///
/// Of some models (with recurrent layers, or where all layers see a window only) what is kept
/// cannot be cut anywhere: then tokens before the cut are read again with the next ones.
///
/// Any thread may use it, and any number of sessions of one [Llm] at once: calls of one session
/// wait for each other, and sessions share the model step by step. (So a sink that uses another
/// session waits for that one's answer: two sinks that use each other's session wait for ever, or
/// until one is interrupted or closed.) An interrupt ends what a call computes within a layer; the
/// thread stays interrupted. [#generate] then returns what there is; other calls throw a
/// [CancellationException], and leave the tokens as they were.
public final class LlmSession implements AutoCloseable {
  /// Prompt tokens that are read in one step; more would only take more memory.
  private static final int CHUNK = 512;

  /// Rows of logits that are made at a time: with 128,000 tokens in the vocabulary, 33 MB.
  private static final int SCORED = 64;

  private final Llm llm;
  private final Sequence sequence;
  private int[] tokens = new int[64];
  private int length;
  private boolean writing;
  private final int vocabulary;

  /// One F32 for each token of the vocabulary.
  private final MemorySegment logits;

  LlmSession(Llm llm, Sequence sequence) {
    this.llm = llm;
    this.sequence = sequence;
    vocabulary = llm.model().config().vocabSize();
    logits = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, vocabulary);
  }

  /// The tokens that it holds.
  ///
  /// @throws IllegalStateException if it is closed
  public int[] tokens() {
    try (var _ = owner().turn()) {
      return Arrays.copyOf(tokens, length);
    }
  }

  /// Whose turn it is to use this conversation.
  Owner owner() {
    return sequence.owner();
  }

  /// Begins a call that changes the tokens.
  Owner.Use change() {
    var turn = owner().turn();
    if (writing) {
      turn.close();
      throw new IllegalStateException(
          "an answer is being written: its sink may read the conversation, but not change it");
    }
    return turn;
  }

  /// The most tokens that it can hold.
  public int capacity() {
    return sequence.capacity();
  }

  /// Forgets all tokens from position `to` on.
  ///
  /// @throws IllegalArgumentException if `to` is negative
  /// @throws IllegalStateException if it is closed, or its own sink calls
  public void truncate(int to) {
    if (to < 0) {
      throw new IllegalArgumentException("cannot keep " + to + " tokens; need 0 or more");
    }
    try (var _ = change()) {
      cut(to);
    }
  }

  private void cut(int to) {
    length = Math.min(length, to);
    sequence.truncate(sequence.restorable(length));
  }

  /// Reads tokens and returns the logits for the next one.
  ///
  /// @throws IllegalArgumentException if there are none, one is not in the vocabulary, or the
  ///   context is exceeded
  /// @throws io.gatun.loaders.CheckpointException if the model's answer is no number (NaN)
  /// @throws IllegalStateException if it or the model is closed, or its own sink calls
  /// @throws CancellationException if the thread is interrupted
  public float[] feed(int... ids) {
    try (var _ = change()) {
      read(ids);
      return logits.toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /// Reads all of `ids`, or, if that fails, none.
  private void read(int[] ids) {
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
    if (!owner().isClosed()) {
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

  private static void checkPrompt(int tokens) {
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
    if (length + added > capacity()) {
      throw new IllegalArgumentException(
          ("the text has %d tokens; the context holds %d. Shorten it, or raise the context if the"
                  + " model allows more")
              .formatted(length + added, capacity()));
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

  /// Reads tokens and tells how likely the model held each: element i of the result is the natural
  /// logarithm of the probability of `ids[from + i]` after all that comes before it.
  ///
  /// The last token is judged but not read, so the next call begins with it. Logits are made for 64
  /// tokens at a time: the memory does not grow with the text but for the cache.
  ///
  /// @param from the first to judge, at least 1
  /// @throws IllegalArgumentException if there is none to judge, one is not in the vocabulary, or
  ///   the context is exceeded
  /// @throws IllegalStateException if it or the model is closed, or its own sink calls
  /// @throws CancellationException if the thread is interrupted
  public float[] score(int[] ids, int from) {
    var scores = new float[Math.max(0, ids.length - from)];
    judge(
        ids,
        from,
        (first, logits) -> {
          int to = first + Math.toIntExact(logits.dim(0));
          float[] p = llm.ops().logSoftmax(logits, Arrays.copyOfRange(ids, first, to));
          System.arraycopy(p, 0, scores, first - from, p.length);
          NotFinite.check("the logits", p, llm.checkpoint());
        });
    return scores;
  }

  /// Takes what the model says before it reads some tokens.
  @FunctionalInterface
  public interface Judge {
    /// Takes some rows.
    ///
    /// @param first the number of the token that the first row speaks of
    /// @param logits (T, V) F32, which may be overwritten, and are gone afterwards
    void judge(int first, Tensor logits);
  }

  /// As [#score], with all logits that the model has for each token in place of its probability.
  ///
  /// @param judge is called in order, with up to 64 tokens at a time, while it is this session's
  ///   and the model's turn
  /// @throws IllegalArgumentException as [#score]
  /// @throws IllegalStateException as [#score]
  /// @throws CancellationException if the thread is interrupted
  public void judge(int[] ids, int from, Judge judge) {
    int read = ids.length - 1;
    if (from < 1 || from > read) {
      throw new IllegalArgumentException(
          "cannot judge from token %d on of %d: need one before it and one to judge"
              .formatted(from, ids.length));
    }
    try (var _ = change()) {
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
  }

  /// Reads `ids[start]` to `ids[end - 1]`, and judges the token after each from `from` on.
  private void judgeChunk(int[] ids, int start, int end, int from, Judge judge) {
    int[] chunk = Arrays.copyOfRange(ids, start, end);
    // Row t predicts the token after it, start + t + 1.
    int first = Math.clamp(from - 1 - start, 0, chunk.length);
    int judged = chunk.length - first;
    var ops = llm.ops();
    try (var _ = ops.owner().turn();
        var _ = ops.scope()) {
      var hidden = llm.model().forward(ops, Batch.of(sequence, chunk, judged)); // (judged, D)
      for (int t = 0; t < judged; t += SCORED) {
        try (var _ = ops.scope()) {
          var rows = hidden.slice(0, t, Math.min(judged, t + SCORED));
          judge.judge(start + first + t + 1, llm.model().logits(ops, rows));
        }
      }
    }
    append(chunk);
  }

  /// Makes the session's tokens `prompt`, reusing what the cache already holds of it, and writes
  /// on.
  ///
  /// The token that ends the answer is returned but not read, so the session then holds the prompt
  /// and the answer up to it. One that is interrupted ends with [Generation.Reason#CANCELLED]; if
  /// that was while the prompt was being read, nothing is written, and the session holds what it
  /// held before of the prompt.
  ///
  /// The sink may read the session and close it or the model, which ends the answer with an
  /// exception; so does closing either on another thread.
  ///
  /// @throws IllegalArgumentException if the prompt is empty or longer than the context
  /// @throws IllegalStateException if it or the model is closed, or its own sink calls
  public Generation generate(int[] prompt, Consumer<GenerateOptions> choose) {
    Objects.requireNonNull(prompt, "the prompt is null");
    return generate(prompt, GenerateOptions.chosen(choose));
  }

  Generation generate(int[] prompt, GenerateOptions options) {
    var sink = options.sink;
    options.sink = text -> owner().callback(() -> sink.accept(text));
    Owner.Use turn;
    checkPrompt(prompt.length);
    var mask = mask(prompt, options);
    var sampler = new Sampler(options.sampling, llm.tokenizer(), mask);
    try {
      turn = change();
    } catch (CancellationException interrupted) {
      return Generation.cancelled(0, sampler.seed());
    }
    try (turn) {
      writing = true;
      try {
        return answer(prompt, options, sampler, mask);
      } finally {
        writing = false;
      }
    }
  }

  /// What says which tokens the answer may have; null for all.
  private AnswerMask mask(int[] prompt, GenerateOptions options) {
    if (options.constraint == null) {
      return null;
    }
    // The last token is not read, and may be one more than the context holds.
    int room = options.contextShift ? Integer.MAX_VALUE : capacity() - prompt.length + 1;
    int most = Math.min(options.maxTokens, room);
    int vocabulary = llm.model().config().vocabSize();
    return new AnswerMask(options.constraint, llm.tokenizer(), vocabulary, prompt, most);
  }

  private Generation answer(
      int[] prompt, GenerateOptions options, Sampler sampler, AnswerMask mask) {
    int kept = Arrays.mismatch(tokens, 0, length, prompt, 0, prompt.length);
    // At least one token must be read, to have logits.
    cut(Math.min(kept < 0 ? length : kept, prompt.length - 1));
    int read = prompt.length - sequence.length();
    sampler.accept(prompt);
    long start = System.nanoTime();
    try {
      read(Arrays.copyOfRange(prompt, length, prompt.length));
    } catch (CancellationException interrupted) {
      return Generation.cancelled((System.nanoTime() - start) / 1e9, sampler.seed());
    }
    long first = System.nanoTime();
    var writer = new AnswerWriter(llm.tokenizer(), prompt, options);
    var speculation = new Speculation(mask == null ? options.drafter : mask.or(options.drafter));
    int[] chosen = options.maxTokens == 0 ? new int[0] : new int[] {sampler.sample(logits)};
    Generation.Reason reason = null;
    while (reason == null) {
      for (int i = 0; i < chosen.length && reason == null; i++) {
        reason = writer.write(chosen[i]);
        boolean last = i == chosen.length - 1; // the mask has taken in all of them
        if (reason == null && last && mask != null && mask.finished()) {
          reason = Generation.Reason.END;
        }
        if (reason != null) {
          cut(length - (chosen.length - 1 - i)); // what was guessed beyond it
        }
      }
      int more = options.maxTokens - writer.count();
      try {
        if (reason == null && chosen.length > 0 && !makeRoom(options.contextShift)) {
          reason = Generation.Reason.CONTEXT;
        } else if (reason == null && more == 0) {
          reason = Generation.Reason.LENGTH;
        } else if (reason == null) {
          chosen = next(chosen[chosen.length - 1], more - 1, speculation, sampler);
        }
      } catch (CancellationException interrupted) {
        reason = Generation.Reason.CANCELLED;
      }
    }
    double decode = (System.nanoTime() - first) / 1e9;
    String text = writer.finish();
    return new Generation(
        text,
        writer.thoughts(),
        writer.ids(),
        reason,
        read,
        (first - start) / 1e9,
        decode,
        sampler.seed(),
        speculation.drafted(),
        speculation.accepted());
  }

  /// Makes room for a token that was written, if that is possible.
  private boolean makeRoom(boolean contextShift) {
    if (length < capacity()) {
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
  private int[] next(int id, int most, Speculation speculation, Sampler sampler) {
    int before = length;
    append(new int[] {id});
    int[] guess = new int[0];
    try {
      int room = Math.min(Math.min(most, Speculation.MOST), capacity() - length);
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

  /// `LlmSession(12 of 2048 tokens)`.
  @Override
  public String toString() {
    return owner().isClosed()
        ? "LlmSession(closed)"
        : "LlmSession(%d of %d tokens)".formatted(length, capacity());
  }

  /// Ends what it is doing on another thread and frees the cache; a second call does nothing.
  @Override
  public void close() {
    sequence.close();
  }
}
