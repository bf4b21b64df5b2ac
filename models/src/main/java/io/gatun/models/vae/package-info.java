/// The autoencoders between images and the latents of Stable Diffusion (Rombach et al. 2022).
/// Shapes: B images, H and W rows and columns, C channels, L channels of latents.
package io.gatun.models.vae;
