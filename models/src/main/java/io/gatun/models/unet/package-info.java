/// The denoising network of Stable Diffusion (Rombach et al. 2022, "High-Resolution Image Synthesis
/// with Latent Diffusion Models") and SDXL (Podell et al. 2023). Shapes: B images, H and W rows and
/// columns of the latents, C channels of a block, T = H W tokens, S tokens of the text and D their
/// size, E size of the time embedding.
package io.gatun.models.unet;
