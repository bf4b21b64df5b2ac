/// The operations that models are made of.

/// [Ops][io.gatun.tensor.ops.Ops] owns the threads and the memory, and has what language models
/// call: activations are F32, weights are tensors, multiplied as the file stores them, and
/// [sequences][io.gatun.tensor.sequence] keep keys and values.
/// [Functional][io.gatun.tensor.ops.Functional] stands on an `Ops` and has what networks call that
/// read all of their input at once, texts or images: activations are of one type, F32 or BF16,
/// weights are [LinearWeight][io.gatun.tensor.ops.LinearWeight] and
/// [ConvWeight][io.gatun.tensor.ops.ConvWeight], which may be kept in another form, and an
/// [OpObserver][io.gatun.tensor.ops.OpObserver] sees each operation. So an operation belongs to
/// `Ops` if it knows sequences or weights that stay where they are, and to `Functional` if it works
/// in the type of the activations. Both check nothing else than who is calling: the work is done in
/// rooms that nobody outside sees, each of which takes a
/// [Context][io.gatun.tensor.ops.context.Context] and knows neither.
///
/// | to change | see |
/// |---|---|
/// | products with weights | `linear` |
/// | convolutions | `conv` |
/// | attention, and how keys and values get into pages | `attention` |
/// | norms, activations, sums, softmax, windows of images | `rows` |
/// | what all of them run on and share | `context` |
/// | layers that keep a state of fixed size | [Recurrence][io.gatun.tensor.ops.Recurrence] |
/// | weights in another type, for a file | [Packing][io.gatun.tensor.ops.Packing] |
///
/// Shape legend: T tokens (rows), K input features, N output features, H heads, G key/value heads;
/// B images, H and W rows and columns, C channels; "..." any leading dimensions.
package io.gatun.tensor.ops;
