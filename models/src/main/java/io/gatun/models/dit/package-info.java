/// Diffusion transformers (Peebles and Xie 2023, "Scalable Diffusion Models with Transformers",
/// arXiv:2212.09748): networks that predict noise or a velocity in latents, cut into patches.
///
/// Each file is one network, named as its checkpoints name it; what several share lies beside them.
/// A network sees one image at a time, for texts have lengths of their own. Shapes: H, W rows and
/// columns of latents, C their channels, P pixels of a patch a side, T = H W / P^2 tokens of the
/// image, S of the text, D width, N heads.
package io.gatun.models.dit;
