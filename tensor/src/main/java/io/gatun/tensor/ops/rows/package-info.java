/// Operations that go over activations row by row, and what happens to a product's rows before they

/// are stored.
///
/// | to change | see |
/// |---|---|
/// | what language models do with rows: RMSNorm, RoPE, sums and products in place | [F32Rows][io.gatun.tensor.ops.rows.F32Rows] |
/// | activations, sums, casts, concatenation | [Elementwise][io.gatun.tensor.ops.rows.Elementwise] |
/// | layer and group normalization | [Normalization][io.gatun.tensor.ops.rows.Normalization] |
/// | probabilities | [Softmax][io.gatun.tensor.ops.rows.Softmax] |
/// | windows, patches and sizes of images | [Images][io.gatun.tensor.ops.rows.Images] |
/// | scales, bias, activation and residual of a product | [F32Epilogue][io.gatun.tensor.ops.rows.F32Epilogue] |
package io.gatun.tensor.ops.rows;
