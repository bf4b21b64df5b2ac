/// How a diffusion model's noise becomes an image: schedulers, random numbers, prompts' parameters.
///
/// Shapes: latents are arrays of N x C x H x W floats in any layout, since schedulers work on each
/// element alone.
///
/// Symbols, as in the papers: alphaBar(t) is the share of the image's variance left at the training
/// step t. A sample is `alpha * image + sigma * noise` with `alpha = sqrt(alphaBar)` and `sigma =
/// sqrt(1 - alphaBar)` (variance preserving, VP), or, divided by alpha, `image + sigmaVe * noise`
/// with `sigmaVe = sigma / alpha` (variance exploding, VE: Karras et al. 2022, arXiv:2206.00364).
/// `lambda = log(alpha / sigma)`.
package io.gatun.models.diffusion;
