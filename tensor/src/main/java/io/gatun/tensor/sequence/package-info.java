/// What a model keeps of the texts that it reads, from step to step.
///
/// | to change | see |
/// |---|---|
/// | what a layer keeps of a sequence | [LayerState][io.gatun.tensor.sequence.LayerState], [KvLayout][io.gatun.tensor.sequence.KvLayout] |
/// | how that lies in memory | [CacheLayout][io.gatun.tensor.sequence.CacheLayout], [KvPages][io.gatun.tensor.sequence.KvPages] |
/// | a sequence's positions: growing, forking, going back | [Sequence][io.gatun.tensor.sequence.Sequence] |
/// | which rows of a step belong to which sequence | [Span][io.gatun.tensor.sequence.Span] |
/// | how much memory all sequences may take | [KvPool][io.gatun.tensor.sequence.KvPool] |
package io.gatun.tensor.sequence;
