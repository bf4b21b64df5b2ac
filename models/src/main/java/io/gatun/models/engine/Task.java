package io.gatun.models.engine;

import io.gatun.models.Llm;
import io.gatun.models.constraint.AnswerMask;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.sampling.Candidates;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.Sampler;
import io.gatun.models.sampling.Speculation;
import io.gatun.models.sampling.TokenLogprobs;
import io.gatun.models.text.AnswerText;
import io.gatun.models.text.Tokenizer;
import io.gatun.tensor.sequence.Sequence;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// One answer: its tokens so far, and what is needed to choose the next. Used by the engine's
/// thread alone, from when it is queued.
final class Task implements AnswerText.Sink {
  private final Request request;
  private final Handle handle;
  private final Tokenizer tokenizer;
  private final Sampler sampler;
  private final AnswerMask mask;
  private final AnswerText answer;
  private final long submitted = System.nanoTime();
  private final StringBuilder text = new StringBuilder();
  private final StringBuilder thought = new StringBuilder();
  private final int prompt;
  private final int capacity;
  private final Drafter drafter;
  private final Speculation speculation;
  private int[] tokens;
  private int length;
  private long started;
  private long firstToken;
  private long lastToken;
  private int cached;
  private int preemptions;

  /// Answers to the same prompt, which go on from what this one has read of it.
  private final List<Task> followers = new ArrayList<>();

  /// How likely the prompt's tokens were, from the second on, as far as they are known.
  private TokenLogprobs[] judged = {};

  private Sequence sequence;

  /// @param capacity the most tokens that it may have
  /// @param drafter guesses tokens; null for nobody
  Task(Llm llm, Request request, Handle handle, int capacity, Drafter drafter) {
    this.request = request;
    this.handle = handle;
    this.capacity = capacity;
    this.drafter = drafter;
    tokenizer = llm.tokenizer();
    tokens = request.prompt();
    prompt = tokens.length;
    length = prompt;
    if (request.promptLogprobs()) {
      judged = new TokenLogprobs[prompt - 1];
    }
    int most = Math.min(request.maxTokens(), capacity - prompt);
    int vocabulary = llm.model().config().vocabSize();
    mask =
        request.constraint() == null
            ? null
            : new AnswerMask(request.constraint(), tokenizer, vocabulary, tokens, most);
    speculation = new Speculation(mask == null ? drafter : mask.or(drafter));
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

  /// Takes its place in the steps beside another one, which has just read the prompt.
  ///
  /// @throws io.gatun.tensor.sequence.KvPool.Exhausted if there is no room
  void startBeside(Task other) {
    start(other.sequence.fork(), prompt);
    judged = other.judged;
  }

  /// Gives up its place for now.
  void preempt() {
    preemptions++;
    leave();
  }

  /// Whether somebody guesses for it.
  boolean isGuessed() {
    return drafter != null || mask != null;
  }

  /// What may follow the token that is to be read next.
  ///
  /// @param most tokens that can be read and forgotten again
  int[] guess(int most) {
    int useful = Math.min(request.maxTokens() - written(), capacity - length) - 1;
    return speculation.draft(tokens, length, Math.min(useful, most));
  }

  Speculation speculation() {
    return speculation;
  }

  /// Whether the prompt's own tokens are judged.
  boolean isJudged() {
    return request.promptLogprobs();
  }

  /// Takes in how likely the token after a position of the prompt was. Several threads may, each
  /// with a position of its own.
  void judge(int position, MemorySegment logits, Candidates scratch) {
    if (position < judged.length && judged[position] == null) {
      int most = Math.max(0, request.logprobs());
      judged[position] = TokenLogprobs.of(logits, tokens[position + 1], most, scratch);
    }
  }

  void leave() {
    if (sequence != null) {
      sequence.close();
      sequence = null;
    }
  }

  /// The tokens to be read next.
  ///
  /// @param guess what may follow them
  int[] next(int count, int[] guess) {
    int[] ids =
        Arrays.copyOfRange(tokens, sequence.length(), sequence.length() + count + guess.length);
    System.arraycopy(guess, 0, ids, count, guess.length);
    return ids;
  }

  /// The token that was written last.
  int last() {
    return tokens[length - 1];
  }

  /// Chooses a token and hands out what comes of it.
  ///
  /// @return why the answer ends with it, or null if it goes on
  Reason choose(MemorySegment logits, Candidates scratch, Stats.Counts counts) {
    if (firstToken == 0) {
      handle.judge(Arrays.stream(judged).takeWhile(Objects::nonNull).toList());
    }
    if (request.maxTokens() == 0) {
      return Reason.LENGTH;
    }
    int token = sampler.sample(logits, scratch);
    var logprobs =
        request.logprobs() < 0
            ? null
            : TokenLogprobs.of(logits, token, request.logprobs(), scratch);
    synchronized (counts) { // others choose at the same time
      count(counts);
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

  private void count(Stats.Counts counts) {
    long now = System.nanoTime();
    if (firstToken == 0) {
      firstToken = now;
      counts.firstToken.add(seconds(now));
    } else {
      counts.tokenGap.add((now - lastToken) / 1e9);
    }
    lastToken = now;
    counts.answerTokens++;
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
    close();
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
            speculation.drafted(),
            speculation.accepted(),
            sampler.seed()));
  }

  private void close() {
    leave();
    if (drafter != null) {
      drafter.close();
    }
  }

  private double seconds(long moment) {
    return (moment - submitted) / 1e9;
  }

  void fail(RuntimeException cause) {
    close();
    handle.fail(cause);
  }
}
