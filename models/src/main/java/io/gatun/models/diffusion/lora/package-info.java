/// Adaptations of text-to-image pipelines in files of their own: LoRA and its kin.
///
/// [io.gatun.models.diffusion.lora.Lora] reads a file, [io.gatun.models.diffusion.lora.LoraNames]
/// knows the layouts; an [io.gatun.models.diffusion.lora.Adaptation] is the matrix that belongs to
/// a weight, a [io.gatun.models.diffusion.lora.WeightChange] how it changes that.
///
/// Shapes: a weight is (N, K), of a convolution its kernels as rows; R is a rank.
package io.gatun.models.diffusion.lora;
