package io.gatun.ffm;

import java.util.List;

/// A product C = op(A B + bias), for [OneDnn#matmul]: everything but the addresses.
///
/// A is (m, k), B is (k, n), C is (m, n), row-major; leading dimensions are the distances between
/// the starts of neighbouring rows, in elements. Keep it and use it again: the compiled primitive
/// is found by it.
///
/// @param a the element type of A
/// @param b the element type of B
/// @param c the element type of C
/// @param lda at least k
/// @param layout how B lies in memory
/// @param ldc at least n
/// @param bias the element type of the bias, which has n elements; null for none
/// @param postOps what happens to each element before it is stored
public record MatmulSpec(
    int m,
    int n,
    int k,
    ElementType a,
    ElementType b,
    ElementType c,
    int lda,
    WeightLayout layout,
    int ldc,
    ElementType bias,
    List<PostOp> postOps) {
  public MatmulSpec {
    postOps = List.copyOf(postOps);
    if (m < 0 || n < 0 || k < 1 || lda < k || ldc < Math.max(n, 1)) {
      throw new IllegalArgumentException(
          "(%d, %d) x (%d, %d) with leading dimensions lda=%d (at least k), ldc=%d (at least n)"
              .formatted(m, k, k, n, lda, ldc));
    }
    if (layout instanceof WeightLayout.Rows(boolean transposed, int ld)
        && ld < (transposed ? k : n)) {
      throw new IllegalArgumentException(
          "B is (%d, %d)%s with leading dimension %d, which is shorter than a row"
              .formatted(k, n, transposed ? " transposed" : "", ld));
    }
  }

  /// A dense product with nothing added: lda = k, ldc = n.
  public static MatmulSpec of(
      int m, int n, int k, ElementType a, ElementType b, ElementType c, boolean transposed) {
    WeightLayout layout = new WeightLayout.Rows(transposed, transposed ? k : n);
    return new MatmulSpec(m, n, k, a, b, c, k, layout, n, null, List.of());
  }

  /// The same product with other leading dimensions.
  public MatmulSpec withStrides(int newLda, WeightLayout newLayout, int newLdc) {
    return new MatmulSpec(m, n, k, a, b, c, newLda, newLayout, newLdc, bias, postOps);
  }

  /// The same product for another number of rows.
  public MatmulSpec withRows(int newM) {
    return new MatmulSpec(newM, n, k, a, b, c, lda, layout, ldc, bias, postOps);
  }

  /// The same product with B in another layout.
  public MatmulSpec withLayout(WeightLayout newLayout) {
    return withStrides(lda, newLayout, ldc);
  }

  /// The same product with a bias of this type.
  public MatmulSpec withBias(ElementType type) {
    return new MatmulSpec(m, n, k, a, b, c, lda, layout, ldc, type, postOps);
  }

  /// The same product with these operations before the result is stored.
  public MatmulSpec withPostOps(PostOp... ops) {
    return new MatmulSpec(m, n, k, a, b, c, lda, layout, ldc, bias, List.of(ops));
  }
}
