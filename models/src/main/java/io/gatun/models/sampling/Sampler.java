package io.gatun.models.sampling;

import io.gatun.models.text.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ThreadLocalRandom;

/// Chooses the next token from a model's logits, one text's worth: it remembers recent tokens and
/// its place in the random numbers. Not for several threads at once.
///
/// Random numbers come from [SplittableRandom]. A token whose choice needs none, at temperature 0,
/// draws none.
public final class Sampler {
  /// Short enough to be typed again.
  private static final long UNASKED_SEEDS = 1L << 32;

  private final List<LogitsProcessor> chain = new ArrayList<>();
  private final TokenMask mask;
  private final boolean greedy;
  private final long seed;
  private final SplittableRandom random;
  private Candidates candidates;

  /// A sampler of a text without tokens that end a run of DRY's.
  public Sampler(SamplingOptions options) {
    this(options, null, null);
  }

  /// @param tokenizer tells what tokens stand for; null for nothing
  /// @param mask a constraint on what is chosen; null for none
  /// @param first what is done to the logits before all else
  public Sampler(
      SamplingOptions options, Tokenizer tokenizer, TokenMask mask, LogitsProcessor... first) {
    this.mask = mask;
    seed =
        options.seed() != null
            ? options.seed()
            : ThreadLocalRandom.current().nextLong(UNASKED_SEEDS);
    random = new SplittableRandom(seed);
    greedy = options.temperature() == 0;
    chain.addAll(List.of(first));
    if (mask != null) {
      chain.add(new MaskedTokens(mask));
    }
    if (!options.logitBias().isEmpty()) {
      chain.add(c -> options.logitBias().forEach((token, bias) -> addBias(c, token, bias)));
    }
    if (options.penalties().changes()) {
      chain.add(new RecentTokens(options.penalties()));
    }
    if (options.dry().changes()) {
      var breakers = options.dry().breakers();
      chain.add(new RepeatedRuns(options.dry(), token -> breaks(tokenizer, token, breakers)));
    }
    if (!greedy) {
      addFilters(options);
    }
  }

  private void addFilters(SamplingOptions options) {
    if (options.topK() > 0) {
      chain.add(c -> c.top(options.topK()));
    }
    if (options.typicalP() < 1) {
      chain.add(c -> c.typical(options.typicalP()));
    }
    if (options.topP() < 1) {
      chain.add(c -> c.nucleus(options.topP()));
    }
    if (options.minP() > 0) {
      chain.add(c -> c.atLeast(options.minP()));
    }
    chain.add(c -> c.temper(options.temperature()));
  }

  private static void addBias(Candidates c, int token, float bias) {
    if (token >= c.size()) {
      throw new IllegalArgumentException(
          "token %d has a logit bias; the model has the tokens 0 to %d"
              .formatted(token, c.size() - 1));
    }
    c.setLogit(token, c.logit(token) + bias);
  }

  private static boolean breaks(Tokenizer tokenizer, int token, List<String> breakers) {
    if (tokenizer == null || !tokenizer.has(token)) {
      return false;
    }
    var text = new String(tokenizer.bytes(token), StandardCharsets.UTF_8);
    return breakers.stream().anyMatch(text::contains);
  }

  /// The seed of its random numbers: the one that the options give, or else its own.
  public long seed() {
    return seed;
  }

  /// Tells the sampler of tokens that it did not choose: a prompt, which penalties count.
  public void accept(int... tokens) {
    for (int token : tokens) {
      for (var processor : chain) {
        processor.accept(token);
      }
    }
  }

  /// The next token by `logits` (one F32 for each token, contiguous), which stay as they are.
  ///
  /// @throws IllegalStateException if no logit is a finite number
  /// @throws IllegalArgumentException if there is a bias of a token that has no logit
  public int sample(MemorySegment logits) {
    int n = Math.toIntExact(logits.byteSize() / Float.BYTES);
    if (candidates == null || candidates.size() != n) {
      candidates = new Candidates(n);
    }
    return sample(logits, candidates);
  }

  /// As the other, with memory that several samplers share.
  ///
  /// @param scratch for as many tokens; what it held is lost
  public int sample(MemorySegment logits, Candidates scratch) {
    scratch.load(logits);
    for (var processor : chain) {
      processor.apply(scratch);
    }
    int token = greedy ? scratch.best() : scratch.draw(random.nextDouble());
    accept(token);
    if (mask != null) {
      mask.accept(token);
    }
    return token;
  }

  /// The next token by `logits` (one for each token), which stay as they are.
  ///
  /// @throws IllegalStateException if no logit is a finite number
  public int sample(float[] logits) {
    return sample(MemorySegment.ofArray(logits));
  }
}
