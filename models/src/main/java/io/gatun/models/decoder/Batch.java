package io.gatun.models.decoder;

import io.gatun.tensor.sequence.Sequence;
import io.gatun.tensor.sequence.Span;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;

/// The tokens of one step: the next ones of one or more sequences, one after the other.
///
/// @param ids (T)
/// @param positions (T) by which rotary embeddings turn
/// @param spans whose tokens they are, from row 0 to the last without gaps
/// @param wanted the rows whose final hidden states are needed
public record Batch(int[] ids, int[] positions, List<Span> spans, int[] wanted) {
  /// @throws IllegalArgumentException if the spans are not these rows, or have a sequence twice
  public Batch {
    spans = List.copyOf(spans);
    int row = 0;
    var sequences = new HashSet<Sequence>();
    for (var span : spans) {
      if (span.from() != row || !sequences.add(span.sequence())) {
        throw new IllegalArgumentException(
            "a span of rows %d to %d after row %d; need each row once, in order, and each sequence once"
                .formatted(span.from(), span.to() - 1, row - 1));
      }
      row = span.to();
    }
    if (row == 0 || row != ids.length || row != positions.length) {
      throw new IllegalArgumentException(
          "%d ids, %d positions and spans of %d rows; need as many of each, and at least one"
              .formatted(ids.length, positions.length, row));
    }
  }

  /// The next tokens of one sequence, of which the last `wanted` are needed.
  public static Batch of(Sequence sequence, int[] ids, int wanted) {
    int n = ids.length;
    int first = sequence.length();
    return new Batch(
        ids,
        IntStream.range(first, first + n).toArray(),
        List.of(new Span(0, n, sequence)),
        IntStream.range(n - wanted, n).toArray());
  }

  /// The next tokens of several sequences, of which the last of each is needed.
  public static Batch of(List<Sequence> sequences, List<int[]> ids) {
    var spans = new Span[sequences.size()];
    var wanted = new int[spans.length];
    int row = 0;
    for (int i = 0; i < spans.length; i++) {
      int to = row + ids.get(i).length;
      spans[i] = new Span(row, to, sequences.get(i));
      wanted[i] = to - 1;
      row = to;
    }
    return new Batch(
        ids.stream().flatMapToInt(IntStream::of).toArray(),
        IntStream.range(0, spans.length)
            .flatMap(
                i -> IntStream.range(spans[i].position(), spans[i].position() + spans[i].rows()))
            .toArray(),
        List.of(spans),
        wanted);
  }
}
