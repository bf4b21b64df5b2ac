package io.gatun.models;

import io.gatun.models.constraint.AnswerMask;
import io.gatun.models.nn.NotFinite;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.Speculation;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.sequence.Sequence;
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
  private final Llm llm;
  private final Sequence sequence;
  private final ReadTokens tokens;
  private boolean writing;

  LlmSession(Llm llm, Sequence sequence) {
    this.llm = llm;
    this.sequence = sequence;
    tokens = new ReadTokens(llm, sequence);
  }

  /// The tokens that it holds.
  ///
  /// @throws IllegalStateException if it is closed
  public int[] tokens() {
    try (var _ = owner().turn()) {
      return tokens.toArray();
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
      tokens.cut(to);
    }
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
      tokens.read(ids);
      return tokens.logits().toArray(ValueLayout.JAVA_FLOAT);
    }
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
      tokens.judge(ids, from, judge);
    }
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
    ReadTokens.checkPrompt(prompt.length);
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
    tokens.keepAlike(prompt);
    int read = prompt.length - sequence.length();
    sampler.accept(prompt);
    long start = System.nanoTime();
    try {
      tokens.read(Arrays.copyOfRange(prompt, tokens.length(), prompt.length));
    } catch (CancellationException interrupted) {
      return Generation.cancelled((System.nanoTime() - start) / 1e9, sampler.seed());
    }
    long first = System.nanoTime();
    var writer = new AnswerWriter(llm.tokenizer(), prompt, options);
    var speculation = new Speculation(mask == null ? options.drafter : mask.or(options.drafter));
    int[] chosen =
        options.maxTokens == 0 ? new int[0] : new int[] {sampler.sample(tokens.logits())};
    Generation.Reason reason = null;
    while (reason == null) {
      for (int i = 0; i < chosen.length && reason == null; i++) {
        reason = writer.write(chosen[i]);
        boolean last = i == chosen.length - 1; // the mask has taken in all of them
        if (reason == null && last && mask != null && mask.finished()) {
          reason = Generation.Reason.END;
        }
        if (reason != null) {
          tokens.cut(tokens.length() - (chosen.length - 1 - i)); // what was guessed beyond it
        }
      }
      int more = options.maxTokens - writer.count();
      try {
        if (reason == null && chosen.length > 0 && !tokens.makeRoom(options.contextShift)) {
          reason = Generation.Reason.CONTEXT;
        } else if (reason == null && more == 0) {
          reason = Generation.Reason.LENGTH;
        } else if (reason == null) {
          chosen = tokens.next(chosen[chosen.length - 1], more - 1, speculation, sampler);
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

  /// `LlmSession(12 of 2048 tokens)`.
  @Override
  public String toString() {
    return owner().isClosed()
        ? "LlmSession(closed)"
        : "LlmSession(%d of %d tokens)".formatted(tokens.length(), capacity());
  }

  /// Ends what it is doing on another thread and frees the cache; a second call does nothing.
  @Override
  public void close() {
    sequence.close();
  }
}
