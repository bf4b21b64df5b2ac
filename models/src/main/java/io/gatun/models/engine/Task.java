package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.sampling.Candidates;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.sampling.TokenMask;
import io.gatun.models.text.AnswerText;
import io.gatun.models.text.Tokenizer;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// One answer: its tokens so far, and what is needed to choose the next. Used by the engine's
/// thread alone, from when it is queued.
final class Task implements AnswerText.Sink {
  private final Request request;
  private final Handle handle;
  private final Tokenizer tokenizer;
  private final Sampler sampler;
  private final TokenMask mask;
  private final AnswerText answer;
  private final long submitted = System.nanoTime();
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thought = new StringBuilder();
  private final int prompt;
  private int[] tokens;
  private int length;
  private long started;
  private long firstToken;
  private int cached;
  private int preemptions;

  /// Answers to the same prompt, which go on from what this one has read of it.
  private final List<Task> followers = new ArrayList<>();

  private Sequence sequence;

  Task(Llm llm, Request request, Handle handle) {
    this.request = request;
    this.handle = handle;
    tokenizer = llm.tokenizer();
    tokens = request.prompt();
    prompt = tokens.length;
    length = prompt;
    mask = request.constraint() == null ? null : request.constraint().get();
    sampler = new Sampler(request.sampling(), tokenizer, mask);
    sampler.accept(tokens);
    answer = new AnswerText(tokenizer, tokens, request.stop(), this);
  }

  Request request() {
    return request;
  }

  Handle handle() {
    return handle;
  }

  List<Task> followers() {
    return followers;
  }

  /// What the model keeps of it; null while it waits.
  Sequence sequence() {
    return sequence;
  }

  /// The tokens so far, of which the first [#length] count.
  int[] tokens() {
    return tokens;
  }

  int length() {
    return length;
  }

  int promptLength() {
    return prompt;
  }

  /// Tokens that are still to be read.
  int pending() {
    return length - sequence.length();
  }

  /// Whether its prompt, or what it has to read again, is being read.
  boolean isReading() {
    return pending() > 1;
  }

  double waited() {
    return (System.nanoTime() - submitted) / 1e9;
  }

  /// The nanoseconds until its time is over.
  long nanosLeft() {
    return request.timeout() == null
        ? Long.MAX_VALUE
        : request.timeout().toNanos() - (System.nanoTime() - submitted);
  }

  /// Takes its place in the steps.
  ///
  /// @param held tokens that the sequence holds already, from the cache
  void start(Sequence into, int held) {
    sequence = into;
    if (started == 0) {
      started = System.nanoTime();
      cached = Math.min(held, prompt);
    }
  }

  /// Gives up its place for now.
  void preempt() {
    preemptions++;
    leave();
  }

  void leave() {
    if (sequence != null) {
      sequence.close();
      sequence = null;
    }
  }

  int[] next(int count) {
    return Arrays.copyOfRange(tokens, sequence.length(), sequence.length() + count);
  }

  /// Chooses a token and hands out what comes of it.
  ///
  /// @param capacity the most tokens that it may have
  /// @return why the answer ends with it, or null if it goes on
  Reason choose(MemorySegment logits, Candidates scratch, int capacity) {
    int token = sampler.sample(logits, scratch);
    var logprobs =
        request.logprobs() < 0
            ? null
            : TokenLogprobs.of(logits, token, request.logprobs(), scratch);
    if (firstToken == 0) {
      firstToken = System.nanoTime();
    }
    if (length == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * length);
    }
    tokens[length++] = token;
    boolean end = !request.ignoreEnd() && tokenizer.isEnd(token);
    boolean stop = !end && answer.push(token);
    hand(token, logprobs);
    return stop
        ? Reason.STOP
        : end || (mask != null && mask.finished())
            ? Reason.END
            : written() == request.maxTokens()
                ? Reason.LENGTH
                : length == capacity ? Reason.CONTEXT : null;
  }

  private int written() {
    return length - prompt;
  }

  private void hand(int token, TokenLogprobs logprobs) {
    handle.add(new Piece(token, text.toString(), thought.toString(), logprobs));
    text.setLength(0);
    thought.setLength(0);
  }

  @Override
  public void answer(String piece) {
    text.append(piece);
  }

  @Override
  public void thought(String piece) {
    thought.append(piece);
  }

  /// Hands out what was held back, and the end.
  void end(Reason reason) {
    answer.finish();
    if (!text.isEmpty() || !thought.isEmpty()) {
      hand(-1, null);
    }
    handle.end(
        reason,
        new Result.Usage(
            prompt,
            cached,
            written(),
            preemptions,
            started == 0 ? waited() : seconds(started),
            firstToken == 0 ? 0 : seconds(firstToken),
            waited(),
            sampler.seed()));
    leave();
  }

  private double seconds(long moment) {
    return (moment - submitted) / 1e9;
  }

  void fail(RuntimeException cause) {
    handle.fail(cause);
    leave();
  }
}
