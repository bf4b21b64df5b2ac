/// How the next token is chosen.
///
/// A [Sampler] has a chain of [LogitsProcessor]s that change and narrow down the [Candidates], and
/// draws one of what they leave. Its order is that of llama.cpp's default chain: logit bias, mask
/// of a constraint ([TokenMask]), penalties of repetition, DRY, top-k, locally typical, top-p,
/// min-p, temperature. What each does is said by [SamplingOptions].
package io.gatun.models.sampling;
