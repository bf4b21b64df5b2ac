package io.gatun.tensor.ops;

/// Which kernels do the work.
public enum Backend {
  /// Plain loops, the reference that the others are tested against.
  SCALAR,
  /// Pure Java on the Vector API.
  VECTOR,
  /// OpenBLAS and oneDNN for dense matrix products, the Vector API for the rest.
  NATIVE
}
