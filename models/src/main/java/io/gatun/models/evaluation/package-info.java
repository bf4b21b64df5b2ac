/// How well language models predict texts and answer questions, and how far one is from another:
/// what quantizing costs, say.
///
/// [TextComparison][io.gatun.models.evaluation.TextComparison] reads a text with several models at
/// once, [MultipleChoice][io.gatun.models.evaluation.MultipleChoice] asks one model questions; both
/// give [Estimate][io.gatun.models.evaluation.Estimate]s.
package io.gatun.models.evaluation;
