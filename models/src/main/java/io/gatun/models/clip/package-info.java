/// CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
/// Supervision"): its text encoder, as Stable Diffusion uses it, its image encoder, and both
/// together. Shapes: B texts or images, S tokens, G patches a side, D hidden size, P projection
/// size.
package io.gatun.models.clip;
