/// Products of activations with weights, for language and image models.

/// [Linear][io.gatun.tensor.ops.linear.Linear] checks, and shares out the work of a
/// [LinearPlan][io.gatun.tensor.ops.linear.LinearPlan], which `choose` finds:
///
/// | the weight | activation rows | plan |
/// |---|---|---|
/// | a layer's, with oneDNN: packed, or, where there is no room, as it lies | any | [FloatProduct][io.gatun.tensor.ops.linear.FloatProduct] |
/// | rounded to 8 bits, as the activations are, with int8 products | any | [Int8Product][io.gatun.tensor.ops.linear.Int8Product] |
/// | tiled | many, int8 products | [PanelPlan][io.gatun.tensor.ops.linear.PanelPlan] |
/// | tiled | other | [TiledPlan][io.gatun.tensor.ops.linear.TiledPlan] |
/// | of any type | many, native products | [UnpackedPlan][io.gatun.tensor.ops.linear.UnpackedPlan] |
/// | as the file stores it | few | [StoredPlan][io.gatun.tensor.ops.linear.StoredPlan] |
/// | of any other type, and the reference | any | [DotPlan][io.gatun.tensor.ops.linear.DotPlan] |
///
/// A tensor is multiplied as it lies; a [LinearWeight][io.gatun.tensor.ops.LinearWeight] may be
/// kept in another form, of which [LinearForms][io.gatun.tensor.ops.linear.LinearForms] knows.
/// [Input][io.gatun.tensor.ops.linear.Input] has the activations as each plan reads them. Shape
/// legend: T rows of activations, K input and N output features.
package io.gatun.tensor.ops.linear;
