/// What text-to-image pipelines have besides networks. Here are the random numbers that noise is
/// made of, and the text that says what an image was made with.
///
/// - [io.gatun.models.diffusion.schedulers]: how noise becomes an image, step by step
/// - [io.gatun.models.diffusion.files]: a pipeline's files, in the layouts that they come in; knows
///   of schedulers only what a network predicts
/// - [io.gatun.models.diffusion.lora]: adaptations in files of their own; knows the names in files
///
/// [Rng] lists the streams of random numbers, each a [NormalGenerator]: [Philox] and [TorchRandom].
/// [ImageParameters] is read from PNG files and written to them.
package io.gatun.models.diffusion;
