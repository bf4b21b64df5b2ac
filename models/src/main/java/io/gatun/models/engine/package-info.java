/// Many answers at once, without HTTP.
///
/// An [Engine] takes [Request]s and gives [Handle]s. Its thread turns around `Steps`: which answers
/// take part in a step and which wait; `Task` is one answer, `Pace` says how much of the prompts a
/// step reads, `PrefixCache` keeps what was read.
package io.gatun.models.engine;
