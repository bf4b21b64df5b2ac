package io.gatun.search;

import java.io.IOException;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.KnnVectorsReader;
import org.apache.lucene.codecs.KnnVectorsWriter;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.apache.lucene.codecs.lucene104.Lucene104HnswScalarQuantizedVectorsFormat;
import org.apache.lucene.index.SegmentReadState;
import org.apache.lucene.index.SegmentWriteState;

/// Lucene's graph of vectors in a byte a number, which by itself refuses vectors of more than 1,024
/// numbers. It bears that format's name, by which Lucene reads what this has written.
final class LongVectors extends KnnVectorsFormat {
  private static final int LONGEST = 16_384;

  private final KnnVectorsFormat format = new Lucene104HnswScalarQuantizedVectorsFormat();

  private LongVectors() {
    super(Lucene104HnswScalarQuantizedVectorsFormat.NAME);
  }

  /// Lucene's own codec with such vectors.
  static Lucene104Codec codec() {
    var vectors = new LongVectors();
    return new Lucene104Codec() {
      @Override
      public KnnVectorsFormat getKnnVectorsFormatForField(String field) {
        return vectors;
      }
    };
  }

  @Override
  public KnnVectorsWriter fieldsWriter(SegmentWriteState state) throws IOException {
    return format.fieldsWriter(state);
  }

  @Override
  public KnnVectorsReader fieldsReader(SegmentReadState state) throws IOException {
    return format.fieldsReader(state);
  }

  @Override
  public int getMaxDimensions(String field) {
    return LONGEST;
  }
}
