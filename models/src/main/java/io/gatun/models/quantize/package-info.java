/// Weights rounded to integers so that a model answers as before, or nearly.
///
/// [LayerByLayer][io.gatun.models.quantize.LayerByLayer] leads calibration texts through a model,
/// and quantizes each layer for the inputs that it gets from those before it;
/// [ActivationAware][io.gatun.models.quantize.ActivationAware] scales what has great inputs;
/// [Sensitivity][io.gatun.models.quantize.Sensitivity] finds the matrices that should keep more
/// bits; [Method][io.gatun.models.quantize.Method] names the ways of rounding.
///
/// Shape legend: T tokens, N rows of a weight, K its columns and the width of its input.
package io.gatun.models.quantize;
