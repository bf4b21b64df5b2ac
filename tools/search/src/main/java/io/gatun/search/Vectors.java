package io.gatun.search;

import java.io.IOException;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.search.IndexSearcher;

/// Vectors as an index compares them: by direction.
final class Vectors {
  private Vectors() {}

  /// The sum of the products, of unit vectors their cosine.
  static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  /// The vector of a document, as it was written.
  static float[] stored(IndexSearcher searcher, String field, int id) throws IOException {
    var leaves = searcher.getIndexReader().leaves();
    var leaf = leaves.get(ReaderUtil.subIndex(id, leaves));
    var vectors = leaf.reader().getFloatVectorValues(field);
    var each = vectors.iterator();
    each.advance(id - leaf.docBase);
    return vectors.vectorValue(each.index()).clone();
  }

  /// A vector of length 1 in the same direction.
  ///
  /// @throws SearchException if it has none: it is all zeros, or holds NaN or infinite numbers
  static float[] unit(float[] vector) {
    double squares = 0;
    for (float v : vector) {
      squares += (double) v * v;
    }
    if (!(squares > 0) || Double.isInfinite(squares)) {
      throw new SearchException(
          "the embedder's vector is %s; need one with a direction"
              .formatted(squares == 0 ? "all zeros" : "not finite"));
    }
    double length = Math.sqrt(squares);
    float[] unit = new float[vector.length];
    for (int i = 0; i < unit.length; i++) {
      unit[i] = (float) (vector[i] / length);
    }
    return unit;
  }
}
