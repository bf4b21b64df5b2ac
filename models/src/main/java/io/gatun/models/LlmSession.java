package io.gatun.models;

import io.gatun.models.text.Sampler;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.KvCache;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Consumer;

/// One conversation: the tokens so far and the cache of their keys and values.
public final class LlmSession implements AutoCloseable {
  /// Prompt tokens that are read in one step; more would only take more memory.
  private static final int CHUNK = 512;

  /// Rows of logits that are made at a time: with 128,000 tokens in the vocabulary, 33 MB.
  private static final int SCORED = 64;

  private final Llm llm;
  private final KvCache cache;
  private int[] tokens = new int[64];
  private int length;
  private final float[] logits;

  LlmSession(Llm llm, int context, DType.Plain kv) {
    this.llm = llm;
    this.cache = llm.model().newCache(kv, context);
    this.logits = new float[llm.model().config().vocabSize()];
  }

  /// The tokens that the cache holds.
  public int[] tokens() {
    return Arrays.copyOf(tokens, length);
  }

  /// The most tokens that it can hold.
  public int capacity() {
    return cache.capacity();
  }

  /// Forgets all tokens from position `to` on.
  public void truncate(int to) {
    length = Math.min(length, to);
  }

  /// Reads tokens and returns the logits for the next one; the array is overwritten by the next
  /// call.
  ///
  /// @throws IllegalArgumentException if there are none, or the context is exceeded
  /// @throws IndexOutOfBoundsException if one is not in the vocabulary
  public float[] feed(int... ids) {
    checkPrompt(ids.length);
    checkRoom(ids.length);
    for (int from = 0; from < ids.length; from += CHUNK) {
      int to = Math.min(ids.length, from + CHUNK);
      step(Arrays.copyOfRange(ids, from, to), to == ids.length);
    }
    return logits;
  }

  private static void checkPrompt(int tokens) {
    if (tokens == 0) {
      throw new IllegalArgumentException(
          "there is nothing to read: the prompt is empty, and this model puts no token before a"
              + " text. Give at least one character");
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
    try (var _ = ops.scope()) {
      var hidden = llm.model().forward(ops, ids, length, cache);
      if (last) {
        var row = llm.model().logits(ops, hidden.slice(0, ids.length - 1, ids.length)); // (1, V)
        MemorySegment.copy(row.segment(), ValueLayout.JAVA_FLOAT, 0, logits, 0, logits.length);
      }
    }
    append(ids);
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
  /// @throws IllegalArgumentException if there is none to judge, or the context is exceeded
  /// @throws IndexOutOfBoundsException if one is not in the vocabulary
  public float[] score(int[] ids, int from) {
    int read = ids.length - 1;
    if (from < 1 || from > read) {
      throw new IllegalArgumentException(
          "cannot judge from token %d on of %d: need one before it and one to judge"
              .formatted(from, ids.length));
    }
    checkRoom(read);
    var scores = new float[ids.length - from];
    for (int start = 0; start < read; start += CHUNK) {
      int end = Math.min(read, start + CHUNK);
      int[] chunk = Arrays.copyOfRange(ids, start, end);
      try (var _ = llm.ops().scope()) {
        var hidden = llm.model().forward(llm.ops(), chunk, length, cache); // (T, D)
        // Row t predicts the token after it, start + t + 1.
        for (int t = Math.max(0, from - 1 - start); t < chunk.length; t += SCORED) {
          int to = Math.min(chunk.length, t + SCORED);
          int[] targets = Arrays.copyOfRange(ids, start + t + 1, start + to + 1);
          float[] p = score(hidden.slice(0, t, to), targets);
          System.arraycopy(p, 0, scores, start + t + 1 - from, p.length);
        }
      }
      append(chunk);
    }
    return scores;
  }

  private float[] score(Tensor hidden, int[] targets) {
    var ops = llm.ops();
    try (var _ = ops.scope()) {
      return ops.logSoftmax(llm.model().logits(ops, hidden), targets); // of (T, V)
    }
  }

  /// Makes the session's tokens `prompt`, reusing what the cache already holds of it, and writes
  /// on.
  ///
  /// The token that ends the answer is returned but not read, so the session then holds the prompt
  /// and the answer up to it.
  ///
  /// @throws IllegalArgumentException if the prompt is empty or longer than the context
  public Generation generate(int[] prompt, Consumer<GenerateOptions> choose) {
    var options = new GenerateOptions();
    choose.accept(options);
    checkPrompt(prompt.length);
    int kept = Arrays.mismatch(tokens, 0, length, prompt, 0, prompt.length);
    // At least one token must be read, to have logits.
    truncate(Math.min(kept < 0 ? length : kept, prompt.length - 1));
    int read = prompt.length - length;
    var sampler = new Sampler(options.sampling);
    sampler.accept(prompt);
    long start = System.nanoTime();
    feed(Arrays.copyOfRange(prompt, length, prompt.length));
    long first = System.nanoTime();
    var writer = new AnswerWriter(llm.tokenizer(), prompt, options);
    Generation.Reason reason = null;
    while (reason == null) {
      if (writer.count() == options.maxTokens) {
        reason = Generation.Reason.LENGTH;
      } else {
        int id = sampler.sample(logits);
        reason = writer.write(id);
        if (reason == null && length == capacity()) {
          if (options.contextShift && length > 2) {
            shift();
          } else {
            reason = Generation.Reason.CONTEXT;
          }
        }
        if (reason == null && writer.count() < options.maxTokens) {
          feed(id);
        }
      }
    }
    double decode = (System.nanoTime() - first) / 1e9;
    return new Generation(
        writer.finish(), writer.ids(), reason, read, (first - start) / 1e9, decode);
  }

  /// Forgets the older half of the tokens but the first, and reads the rest again in its new place:
  /// keys hold their position, and moving them would not give what the model was trained on.
  private void shift() {
    int[] kept = Arrays.copyOfRange(tokens, length / 2, length);
    kept[0] = tokens[0];
    truncate(0);
    feed(kept);
  }

  /// Frees the cache.
  @Override
  public void close() {
    cache.close();
  }
}
