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
///
/// A vector that a loop carries on is an argument of operations, never their receiver: `max =
/// loaded.max(max)`. When C2 parses the loop it knows no class of such a vector except from a
/// profile, which on a busy machine is not there yet; then the operation remains a call, for good.
package io.gatun.tensor.kernel;
