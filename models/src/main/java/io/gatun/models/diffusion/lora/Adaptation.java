package io.gatun.models.diffusion.lora;

import io.gatun.models.nn.WeightNames.Stored;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A matrix (N, K) that belongs to a weight, in the form in which a file has it.
sealed interface Adaptation {
  /// N.
  long rows();

  /// K.
  long columns();

  /// The matrix, F32, in the workspace of `f`, whose activations are F32.
  Tensor matrix(Functional f);

  /// As far as it belongs to a weight that is rows of the one that the file adapts.
  default Tensor matrix(Functional f, Stored stored) {
    return stored.rowsOf(matrix(f));
  }

  /// The matrix itself.
  record Whole(Tensor values) implements Adaptation {
    @Override
    public long rows() {
      return values.dim(0);
    }

    @Override
    public long columns() {
      return values.size() / rows();
    }

    @Override
    public Tensor matrix(Functional f) {
      return f.cast(values).reshape(rows(), columns());
    }
  }

  /// `up * down` (Hu et al. 2021, "LoRA", arXiv:2106.09685, equation 3), for convolutions perhaps
  /// with a core between them (a Tucker decomposition, as LyCORIS has it):
  ///
  ///     M[n, i, k] = sum over a, b of up[n, a] core[a, b, k] down[b, i]
  ///
  /// @param up (N, R)
  /// @param core (R, R, kernelHeight, kernelWidth); null for none
  /// @param down (R, K), with a core (R, I)
  record LowRank(Tensor up, Tensor core, Tensor down) implements Adaptation {
    @Override
    public long rows() {
      return up.dim(0);
    }

    @Override
    public long columns() {
      return right() * (core == null ? 1 : core.size() / (core.dim(0) * core.dim(1)));
    }

    private long right() {
      return down.size() / down.dim(0);
    }

    long rank() {
      return up.size() / rows();
    }

    @Override
    public Tensor matrix(Functional f) {
      return product(f, up);
    }

    @Override
    public Tensor matrix(Functional f, Stored stored) {
      return product(f, stored.rowsOf(up));
    }

    private Tensor product(Functional f, Tensor ups) {
      long rows = ups.dim(0);
      Tensor left = f.cast(ups).reshape(1, rows, rank());
      Tensor inner = f.cast(down).reshape(down.dim(0), right());
      Tensor right = transposed(f, core == null ? inner : withCore(f, inner));
      return f.matmulTransposed(left, right).reshape(rows, columns());
    }

    /// (A, I k) of the core (A, B, k) and `down` (B, I).
    private Tensor withCore(Functional f, Tensor inner) {
      int a = (int) core.dim(0);
      int b = (int) core.dim(1);
      int k = (int) (core.size() / ((long) a * b));
      Tensor kernels = transposed(f, f.cast(core).reshape((long) a * b, k)); // (1, k, A B)
      Tensor left = kernels.reshape(1, (long) k * a, b); // (1, k A, B)
      float[] made = f.matmulTransposed(left, transposed(f, inner)).toFloats(); // (1, k A, I)
      int inputs = (int) right();
      var out = new float[made.length];
      for (int kernel = 0; kernel < k; kernel++) {
        for (int row = 0; row < a; row++) {
          for (int i = 0; i < inputs; i++) {
            out[(row * inputs + i) * k + kernel] = made[(kernel * a + row) * inputs + i];
          }
        }
      }
      Tensor t = f.empty(a, (long) inputs * k);
      MemorySegment.copy(out, 0, t.segment(), ValueLayout.JAVA_FLOAT, 0, out.length);
      return t;
    }

    /// A matrix (R, K) as (1, K, R): products want rows of equal length on both sides.
    private static Tensor transposed(Functional f, Tensor x) {
      long rows = x.dim(0);
      long columns = x.dim(1);
      Tensor out = f.empty(1, columns, rows);
      for (long i = 0; i < rows; i++) {
        for (long j = 0; j < columns; j++) {
          float value = x.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i * columns + j);
          out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, j * rows + i, value);
        }
      }
      return out;
    }
  }

  /// The product of two matrices, element by element (Hyeon-Woo et al. 2022, "FedPara",
  /// arXiv:2108.06098), which LyCORIS calls a LoHa.
  record Hadamard(LowRank first, LowRank second) implements Adaptation {
    @Override
    public long rows() {
      return first.rows();
    }

    @Override
    public long columns() {
      return first.columns();
    }

    @Override
    public Tensor matrix(Functional f) {
      return f.mul(first.matrix(f), second.matrix(f));
    }
  }

  /// The Kronecker product of two matrices (Yeh et al. 2024, "LyCORIS", arXiv:2309.14859), a LoKr.
  record Kronecker(Adaptation first, Adaptation second) implements Adaptation {
    @Override
    public long rows() {
      return first.rows() * second.rows();
    }

    @Override
    public long columns() {
      return first.columns() * second.columns();
    }

    @Override
    public Tensor matrix(Functional f) {
      float[] a = first.matrix(f).toFloats();
      float[] b = second.matrix(f).toFloats();
      int aColumns = (int) first.columns();
      int bColumns = (int) second.columns();
      var row = new float[aColumns * bColumns];
      Tensor out = f.empty(rows(), columns());
      for (int n = 0; n < rows(); n++) {
        int aRow = n / (int) second.rows() * aColumns;
        int bRow = n % (int) second.rows() * bColumns;
        for (int i = 0; i < row.length; i++) {
          row[i] = a[aRow + i / bColumns] * b[bRow + i % bColumns];
        }
        long at = (long) n * row.length * Float.BYTES;
        MemorySegment.copy(row, 0, out.segment(), ValueLayout.JAVA_FLOAT, at, row.length);
      }
      return out;
    }
  }
}
