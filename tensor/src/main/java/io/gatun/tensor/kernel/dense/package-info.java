/// Vector API kernels on F32, BF16, F16 and I8, all at one width: [Lanes].
///
/// | for | see |
/// |---|---|
/// | rows of language models, of image models | [VectorKernels], [VectorNetworkKernels], [VectorMath] |
/// | attention | [AttentionScores], [AttentionWeights], [SmallProducts], [StoredProduct] |
/// | products of 8 bits | [Int8Products], [Int8Rows] |
/// | what gives the same until kernels are compiled | [FirstCalls], [FirstRows], [FirstAttention], [FirstProducts] |
/// | recurrent layers | [StateScan], [CausalConvolution] |
/// | images | [Bilinear] |
/// | measuring | [ReadKernel] |
package io.gatun.tensor.kernel.dense;
