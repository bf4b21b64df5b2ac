/// `gatun bench`: how fast models are here, beside the machine's roofs.
///
/// [Bench] lists the measurements, one class each. [BenchSearch] and [BenchCache] have their parts
/// with the search's module in [SearchSpeed] and [SearchCache].
///
/// A figure is worth something only if it comes again: [FiguresOptions] measure in several
/// processes, each a [FreshProcess], and [CompilerRest] waits until the JIT compiler is done.
/// [StepRates] and [FirstToken] are what a language model is measured by, [OperationTimes] where a
/// network's time goes. [DecoderModelOptions] name the language model; models with random weights,
/// for those who have none, are in [io.gatun.tools.bench.synthetic].
package io.gatun.tools.bench;
