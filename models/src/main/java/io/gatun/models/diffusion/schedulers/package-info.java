/// How noise becomes an image: schedulers, one file each, with the names of diffusers.
///
/// [Schedulers] makes one of a name and a [SchedulerConfig]; [Scheduler] is what all have in
/// common. Right below it stand DDIM, PNDM, IPNDM, LCM and TCD, and
/// [FlowMatchEulerDiscreteScheduler], which follows a flow at the times that a pipeline gives as
/// [FlowTimes]. The others are solvers whose runs are tables of sigmas, as [SigmaScheduler] makes
/// them; below [TwoCallScheduler] are those that ask the network twice for a step.
///
/// [NoiseSchedule] is how much noise each training step has, [TimestepSpacing] which of these steps
/// a run uses, [Spacing] what users choose instead ([BetaDistribution] has the quantiles for one of
/// them). [PredictionType] is what the network's output means, and [Latents] has the sums.
///
/// Shapes: latents are arrays of N x C x H x W floats in any layout, since schedulers work on each
/// element alone.
///
/// Symbols, as in the papers: alphaBar(t) is the share of the image's variance left at the training
/// step t. A sample is `alpha * image + sigma * noise` with `alpha = sqrt(alphaBar)` and `sigma =
/// sqrt(1 - alphaBar)` (variance preserving, VP), or, divided by alpha, `image + sigmaVe * noise`
/// with `sigmaVe = sigma / alpha` (variance exploding, VE: Karras et al. 2022, arXiv:2206.00364).
/// `lambda = log(alpha / sigma)`.
package io.gatun.models.diffusion.schedulers;
