package io.gatun.models;

import io.gatun.models.text.Sampler;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.KvCache;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Consumer;

/// One conversation: the tokens so far and the cache of their keys and values.
public final class LlmSession implements AutoCloseable {
  /// Prompt tokens that are read in one step; more would only take more memory.
  private static final int CHUNK = 512;

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
  /// @throws IllegalArgumentException if there are none, one is not in the vocabulary, or the context
  ///     is exceeded
  public float[] feed(int... ids) {
    if (ids.length == 0) {
      throw new IllegalArgumentException("the prompt is empty, and this model has no BOS token");
    }
    if (length + ids.length > capacity()) {
      throw new IllegalArgumentException(
          ("the text has %d tokens; the context holds %d. Shorten it, or raise the context if the"
                  + " model allows more")
              .formatted(length + ids.length, capacity()));
    }
    for (int from = 0; from < ids.length; from += CHUNK) {
      int to = Math.min(ids.length, from + CHUNK);
      step(Arrays.copyOfRange(ids, from, to), to == ids.length);
    }
    return logits;
  }

  private void step(int[] ids, boolean last) {
    var ops = llm.ops();
    try (var _ = ops.scope()) {
      var hidden = llm.model().forward(ops, ids, length, cache);
      if (last) {
        var row = llm.model().logits(ops, hidden.slice(0, ids.length - 1, ids.length)); // (1, V)
        MemorySegment.copy(
            row.segment(), ValueLayout.JAVA_FLOAT, 0, logits, 0, logits.length);
      }
    }
    if (length + ids.length > tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, length + ids.length));
    }
    System.arraycopy(ids, 0, tokens, length, ids.length);
    length += ids.length;
  }

  /// Makes the session's tokens `prompt`, reusing what the cache already holds of it, and writes on.
  ///
  /// The token that ends the answer is returned but not read, so the session then holds the prompt
  /// and the answer up to it.
  ///
  /// @throws IllegalArgumentException if the prompt is empty or longer than the context
  public Generation generate(int[] prompt, Consumer<GenerateOptions> choose) {
    var options = new GenerateOptions();
    choose.accept(options);
    int kept = Arrays.mismatch(tokens, 0, length, prompt, 0, prompt.length);
    // At least one token must be read, to have logits.
    truncate(Math.min(kept < 0 ? length : kept, prompt.length - 1));
    int read = prompt.length - length;
    var sampler = new Sampler(options.sampling);
    sampler.accept(prompt);
    long start = System.nanoTime();
    feed(Arrays.copyOfRange(prompt, length, prompt.length));
    long first = System.nanoTime();
    var writer = new AnswerWriter(llm.tokenizer(), options);
    Generation.Reason reason = null;
    while (reason == null) {
      if (writer.count() == options.maxTokens) {
        reason = Generation.Reason.LENGTH;
      } else {
        int id = sampler.sample(logits);
        reason = writer.write(id);
        if (reason == null && length == capacity()) {
          reason = Generation.Reason.CONTEXT;
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

  /// Frees the cache.
  @Override
  public void close() {
    cache.close();
  }
}
