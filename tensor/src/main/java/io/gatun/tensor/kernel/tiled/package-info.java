/// Weights of 4 and 8 bits in tiles of 32 rows, (N / 32, K / 4, 32) words of 16 bits, and products
/// with activations that are rounded to 8 bits.
///
/// | for | see |
/// |---|---|
/// | where things are | [TiledLayout]; making it: [TiledPack]; rows as F32: [TiledRows] |
/// | activations (T, K) | [QuantizedRows] |
/// | a few rows of activations | [TiledProduct], over the kernels [TiledInt4], [TiledWords] and [TiledScales], or [TiledLevels]; [ScalarTiled] checks them |
/// | many rows | [TiledPanels], for a library's product of 8 bits |
package io.gatun.tensor.kernel.tiled;
