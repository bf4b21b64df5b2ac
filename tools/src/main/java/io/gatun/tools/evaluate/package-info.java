/// `gatun evaluate` and `gatun perplexity`: how good models are.
///
/// [Evaluate] asks language models about texts and questions with choices; below it [EvaluateSam]
/// compares masks with annotated ones, which it draws as a [Histogram], and [EvaluateSearch], whose
/// part with the search's module is [SearchingQuality], counts what a search finds.
/// [MeasurePerplexity] reads one text.
package io.gatun.tools.evaluate;
