/// Options that several commands share, as mixins, and what reads their words.
///
/// - whatever is run: [RunOptions], [ThreadsOption]; networks for images: [NetworkOptions]
/// - language models: [ModelOptions] is [ModelPath], the files, with [LlmRunOptions];
///   [PackOptions], [LoraOptions], [DraftOptions]
/// - a text: [TextOptions]
///
/// [ModelNames] finds models by name and fetches those that are not there, which [PullProgress]
/// shows. [Converters] makes values of words; [Choice] and [CountConverter] say what was expected.
package io.gatun.tools.options;
