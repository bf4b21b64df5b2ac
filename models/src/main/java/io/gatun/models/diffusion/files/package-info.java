/// The files of text-to-image pipelines, in whatever layout they come.
///
/// [PipelineFiles] opens a pipeline, with what a user gives in place of its parts ([GivenParts]):
/// as diffusers saves it ([DiffusersFolder]); all in one file ([SingleFile], of a [KnownPipeline]);
/// or a transformer's file with its text encoders and autoencoder beside it ([TransformerFiles], of
/// a [KnownTransformer]). A network, a text encoder, an autoencoder or a ControlNet can come by
/// itself: [NetworkFile], [TextEncoderFile], [VaeFile], [ControlNetLayout].
///
/// What a file does not say shows from its tensors: [UNetTensors] and [SingleFilePrediction] read
/// that. Weights are asked for by the names of diffusers and transformers; [LdmNames] and
/// [TransformerNames], each a [NameTable], have other layouts' names, and [OriginalNames] finds the
/// right ones of a part.
package io.gatun.models.diffusion.files;
