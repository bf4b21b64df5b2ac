/// Models with published shapes and random weights, for measuring speed: [SyntheticDecoder],
/// [SyntheticBert], [SyntheticSam], and [SyntheticDiffusion], whose shapes are in
/// [TransformerShapes] and which has a [DenoisingStep] say what tensors there are. [RandomWeights]
/// fills them, [SyntheticTokenizer] makes vocabularies.
package io.gatun.tools.bench.synthetic;
