/// Plain loops, an element at a time: the reference for the vector kernels, and the way of machines
/// without vectors.
///
/// | for | see |
/// |---|---|
/// | rows of language models, of image models | [Kernels], [NetworkKernels], and those named Scalar |
/// | single numbers in native memory | [Floats]; every plain type: [PlainTypes] |
package io.gatun.tensor.kernel.scalar;
