package io.gatun.models.vae;

import io.gatun.tensor.Tensor;

/// The distribution of an image's latents.
///
/// @param mean (B, H, W, L), F32
/// @param logvar logarithms of the variances, of the same shape, within -30..20
public record DiagonalGaussian(Tensor mean, Tensor logvar) {}
