/// Kernels for numbers of eight and four bits that have their scales beside them: FP8 and integers,
/// and codes of sixteen numbers.
package io.gatun.tensor.kernel.scaled;
