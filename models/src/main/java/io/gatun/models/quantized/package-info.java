/// Checkpoints as quantization tools write them: each layer's parts become one matrix under the
/// layer's plain name, so that models know of no format.
///
/// [QuantizedCheckpoint] is the way in; [QuantizationConfig] says which tool wrote a checkpoint; a
/// [QuantizedFormat] reads the layers of one way to store them. Integers with scales for groups
/// ([IntegerGroups]) are packed into tiles, without a change of values; all other numbers stay
/// where the file has them.
package io.gatun.models.quantized;
