/// The loops over native memory that all operations end in; not exported.
///
/// | room | what is there |
/// |---|---|
/// | [io.gatun.tensor.kernel.scalar] | plain loops, which the others must agree with, and how numbers lie in memory |
/// | [io.gatun.tensor.kernel.dense] | the Vector API on F32, BF16 and I8 |
/// | [io.gatun.tensor.kernel.ggml] | GGUF's blocks and MXFP4: read, made and multiplied in place |
/// | [io.gatun.tensor.kernel.tiled] | Gatun's own layout of weights of 4 and 8 bits |
///
/// A room uses only those above it.
package io.gatun.tensor.kernel;
