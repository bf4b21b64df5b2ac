/// What all operations share, and nobody else sees.

/// | to change | see |
/// |---|---|
/// | what an operation runs on: backend, type of activations, threads, memory | [Context][io.gatun.tensor.ops.context.Context] |
/// | how much memory weights in another form may take, and when it is given back | [PackedMemory][io.gatun.tensor.ops.context.PackedMemory] |
/// | what is refused, and how that is said | [Check][io.gatun.tensor.ops.context.Check] |
/// | rows of activations in BF16 for kernels that know F32 | [RowMap][io.gatun.tensor.ops.context.RowMap], [RowOffsets][io.gatun.tensor.ops.context.RowOffsets] |
/// | rows of a weight of any type as F32 or BF16 | [WeightRows][io.gatun.tensor.ops.context.WeightRows] |
/// | small products of F32 within a task | [Gemm][io.gatun.tensor.ops.context.Gemm] |
package io.gatun.tensor.ops.context;
