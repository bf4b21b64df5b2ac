package io.gatun.models.diffusion.schedulers;

/// What a pipeline says of the times at which a flow is followed.
///
/// @param imageTokens on which a dynamic shift depends
/// @param wholeSteps whether times, before they are shifted, end one step from the image (1, 3/4,
///   1/2, 1/4), not at the first training step
/// @param mu the logarithm of a dynamic shift; NaN for what the configuration makes of the tokens
public record FlowTimes(int imageTokens, boolean wholeSteps, double mu) {}
