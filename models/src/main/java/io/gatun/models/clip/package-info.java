/// CLIP's text encoder (Radford et al. 2021, "Learning Transferable Visual Models From Natural
/// Language Supervision"), as Stable Diffusion uses it. Shapes: B texts, S tokens, D hidden size, P
/// projection size.
package io.gatun.models.clip;
