/// Text-to-image pipelines: how text encoders, a network and an autoencoder play together.
///
/// [io.gatun.models.pipeline.Pipelines] lists them; each is one file, which says what parts it has
/// and makes a [io.gatun.models.pipeline.TextConditions] and a [io.gatun.models.pipeline.Denoiser]
/// of them. The networks themselves lie in packages of their own and know nothing of each other.
package io.gatun.models.pipeline;
