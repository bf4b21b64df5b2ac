/// Commands that read and write text with a model.
///
/// - `gatun generate` and `gatun chat`: [Generate]; [ChatCommand], whose [Conversation] is with a
///   model of ours or, as [RemoteChat], with a server's; [TerminalInput] reads its lines.
///   [AnswerOptions] say what is written: [SamplingOptionsMixin], [ConstraintOptions]
/// - `gatun embed` and `gatun rank`: [Embed], whose [Vectors] are made here or by [RemoteVectors]
///   and written by [NpyWriter]; [Rank]; both with [EncoderOptions] and [LineOptions]
/// - `gatun tokenize`: [Tokenize]
package io.gatun.tools.text;
