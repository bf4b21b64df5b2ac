/// Commands for the files of models.
///
/// - fetched and removed, by name: [Pull], [ListModels], [Remove]; what Gatun has made of them:
///   [Cache]
/// - looked into: [Inspect], with [ModelSummary], [EncoderSummary], and [FitReport] for the memory
///   that they need
/// - written anew: [Quantize] and [Pack], both with [RewriteOptions]
package io.gatun.tools.models;
