/// GGUF's block formats, and MXFP4 in both of its layouts.
///
/// | for | see |
/// |---|---|
/// | any type to F32 or BF16 | [Dequantize], an element at a time; [Unpack], by vectors |
/// | the formats | [Blocks32], [Blocks256], [VectorBlocks], [Mxfp4] |
/// | blocks as bytes and scales | [KNumbers], [Numbers32], [LowBits] |
/// | making blocks | [Quantize] |
/// | products with rows in place | [BlockDots], [RowDots], [Mxfp4] |
package io.gatun.tensor.kernel.ggml;
