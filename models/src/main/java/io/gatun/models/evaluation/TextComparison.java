package io.gatun.models.evaluation;

import io.gatun.models.Llm;
import io.gatun.models.LlmSession;
import io.gatun.models.nn.NotFinite;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/// Reads a text with several models at once, and compares what they predict with what the first of
/// them does.
///
/// The text slides through windows as it does for [io.gatun.models.Perplexity]: each counts the
/// tokens that none before it did.
public final class TextComparison implements AutoCloseable {
  /// Tokens that a model reads before it is the next one's turn: the first one's logits are kept so
  /// long, with a vocabulary of 128,000 tokens 66 MB.
  private static final int TURN = 128;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final List<Reader> readers = new ArrayList<>();
  private final Arena arena = Arena.ofShared();
  private final int vocabulary;

  /// Of the first model: (TURN, V).
  private final MemorySegment reference;

  /// ln of the sum of exp of each of these rows.
  private final double[] referenceNorms = new double[TURN];

  private final double[] referenceNlls = new double[TURN];
  private final int[] referenceBest = new int[TURN];

  /// What a model makes of a text.
  ///
  /// @param nll the mean of -ln p of the text's tokens
  /// @param difference by how much that is more than the first model's
  /// @param divergence the mean Kullback-Leibler divergence of the model's next tokens from the
  ///   first model's, in nats
  /// @param agreement how often both hold the same token to be the most likely
  public record Figures(
      Estimate nll, Estimate difference, Estimate divergence, Estimate agreement) {
    /// `exp(nll)`.
    public Estimate perplexity() {
      double p = Math.exp(nll.value());
      return nll.map(p, p);
    }

    /// By which factor the perplexity is that of the first model. The error is that of pairs: it is
    /// far less than that of either.
    public Estimate ratio() {
      double r = Math.exp(difference.value());
      return difference.map(r, r);
    }
  }

  /// One model, and what is known of it so far.
  private static final class Reader {
    private final Llm llm;
    private final Estimate.Sum nll = new Estimate.Sum();
    private final Estimate.Sum difference = new Estimate.Sum();
    private final Estimate.Sum divergence = new Estimate.Sum();
    private final Estimate.Sum agreement = new Estimate.Sum();

    Reader(Llm llm) {
      this.llm = llm;
    }

    Figures figures() {
      return new Figures(
          nll.estimate(), difference.estimate(), divergence.estimate(), agreement.estimate());
    }
  }

  /// @param models the first is what the others are compared with; the caller closes them
  /// @throws IllegalArgumentException if there is none, or their vocabularies differ in size
  public TextComparison(List<Llm> models) {
    if (models.isEmpty()) {
      throw new IllegalArgumentException("there is no model to measure");
    }
    vocabulary = models.getFirst().model().config().vocabSize();
    for (var llm : models) {
      int own = llm.model().config().vocabSize();
      if (own != vocabulary) {
        throw new IllegalArgumentException(
            "%s has a vocabulary of %d tokens, %s of %d: what they predict cannot be compared token by token. Compare bits per byte: gatun perplexity"
                .formatted(path(llm), own, path(models.getFirst()), vocabulary));
      }
      readers.add(new Reader(llm));
    }
    reference = arena.allocate(FLOAT, (long) TURN * vocabulary);
  }

  private static Object path(Llm llm) {
    return llm.checkpoint().path();
  }

  /// Reads a text.
  ///
  /// @param window tokens that are read together; half a window is counted of each but the first
  /// @param progress is told how many tokens of how many are counted
  /// @return of each model, in their order
  /// @throws IllegalArgumentException if the text has fewer than three tokens, the models make
  ///   different tokens of it, or the window is longer than one of them allows
  public List<Figures> read(String text, int window, BiConsumer<Integer, Integer> progress) {
    int[] ids = ids(text);
    int stride = Math.max(1, window / 2);
    int counted = 1; // the first token has nothing before it to be predicted from
    for (int start = 0; counted < ids.length; start += stride) {
      int end = (int) Math.min(ids.length, start + window + 1L);
      window(Arrays.copyOfRange(ids, start, end), counted - start);
      counted = end;
      progress.accept(counted - 1, ids.length - 1);
    }
    return readers.stream().map(Reader::figures).toList();
  }

  private int[] ids(String text) {
    int[] ids = null;
    for (var reader : readers) {
      int[] own = reader.llm.tokenizer().encode(text, true, false);
      if (ids != null && !Arrays.equals(ids, own)) {
        throw new IllegalArgumentException(
            "%s and %s make different tokens of the text: what they predict cannot be compared"
                .formatted(path(readers.getFirst().llm), path(reader.llm)));
      }
      ids = own;
    }
    if (ids.length < 3) {
      throw new IllegalArgumentException(
          "the text has %d tokens; need at least 3, one to read and two to predict"
              .formatted(ids.length));
    }
    return ids;
  }

  /// Counts the tokens from `from` on.
  private void window(int[] ids, int from) {
    var sessions = new ArrayList<LlmSession>();
    try {
      readers.forEach(reader -> sessions.add(reader.llm.newSession()));
      for (int start = 0; start < ids.length - 1; start += TURN) {
        int[] turn = Arrays.copyOfRange(ids, start, Math.min(ids.length, start + TURN + 1));
        int first = Math.max(1, from - start);
        for (int i = 0; i < sessions.size(); i++) {
          if (first >= turn.length) {
            sessions.get(i).feed(Arrays.copyOf(turn, turn.length - 1));
          } else {
            read(i, sessions.get(i), turn, first);
          }
        }
      }
    } finally {
      sessions.forEach(LlmSession::close);
    }
  }

  private void read(int model, LlmSession session, int[] turn, int from) {
    var reader = readers.get(model);
    session.judge(
        turn,
        from,
        (first, logits) -> {
          int rows = Math.toIntExact(logits.dim(0));
          var figures = new double[rows][];
          reader
              .llm
              .ops()
              .workers()
              .forEach(
                  rows,
                  1,
                  (worker, begin, end) -> {
                    for (int i = (int) begin; i < end; i++) {
                      int slot = first + i - from;
                      figures[i] = row(model == 0, logits, i, slot, turn[first + i]);
                    }
                  });
          if (Arrays.stream(figures).anyMatch(f -> Double.isNaN(f[0]))) {
            NotFinite.check("the logits", logits.segment(), reader.llm.checkpoint());
          }
          // In order, whichever thread was faster: the same sums every time.
          for (double[] f : figures) {
            reader.nll.add(f[0]);
            reader.difference.add(f[1]);
            reader.divergence.add(f[2]);
            reader.agreement.add(f[3]);
          }
        });
  }

  /// A token's -ln p, how much more that is than the first model's, the divergence, and 1 if both
  /// models' most likely token is the same.
  private double[] row(boolean isReference, Tensor logits, int row, int slot, int token) {
    var own = logits.segment();
    long at = (long) row * vocabulary;
    long kept = (long) slot * vocabulary;
    int best = 0;
    float max = own.getAtIndex(FLOAT, at);
    for (int v = 1; v < vocabulary; v++) {
      float logit = own.getAtIndex(FLOAT, at + v);
      if (logit > max) {
        max = logit;
        best = v;
      }
    }
    double sum = 0;
    for (int v = 0; v < vocabulary; v++) {
      sum += Math.exp(own.getAtIndex(FLOAT, at + v) - max);
    }
    double norm = max + Math.log(sum);
    double nll = norm - own.getAtIndex(FLOAT, at + token);
    if (isReference) {
      MemorySegment.copy(own, 4 * at, reference, 4 * kept, 4L * vocabulary);
      referenceNorms[slot] = norm;
      referenceNlls[slot] = nll;
      referenceBest[slot] = best;
      return new double[] {nll, 0, 0, 1};
    }
    double divergence = 0;
    for (int v = 0; v < vocabulary; v++) {
      double p = reference.getAtIndex(FLOAT, kept + v) - referenceNorms[slot];
      double q = own.getAtIndex(FLOAT, at + v) - norm;
      // Logits of minus infinity are tokens that cannot come: they add nothing where both say so.
      divergence += p == Double.NEGATIVE_INFINITY ? 0 : Math.exp(p) * (p - q);
    }
    return new double[] {
      nll, nll - referenceNlls[slot], divergence, best == referenceBest[slot] ? 1 : 0
    };
  }

  /// Frees the memory; the models stay open.
  @Override
  public void close() {
    arena.close();
  }
}
