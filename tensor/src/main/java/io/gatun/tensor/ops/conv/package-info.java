/// Convolutions of images in NHWC. [Convolution][io.gatun.tensor.ops.conv.Convolution] checks; a

/// [ConvPlan][io.gatun.tensor.ops.conv.ConvPlan] says how it is done:
///
/// | where | how |
/// |---|---|
/// | kernels lie side by side, as those of one pixel do | a linear layer of pixels or patches |
/// | oneDNN | [BandPlan][io.gatun.tensor.ops.conv.BandPlan]: some output rows at a time; [SlicePlan][io.gatun.tensor.ops.conv.SlicePlan]: some output channels, for small images and large weights |
/// | no oneDNN | [PatchPlan][io.gatun.tensor.ops.conv.PatchPlan]: a product with the pixels under the kernels |
/// | the reference | [ScalarPlan][io.gatun.tensor.ops.conv.ScalarPlan] |
///
/// [ConvForms][io.gatun.tensor.ops.conv.ConvForms] are the weights as each of these reads them.
/// Shape legend: B images, H and W rows and columns, C channels, O output channels.
package io.gatun.tensor.ops.conv;
