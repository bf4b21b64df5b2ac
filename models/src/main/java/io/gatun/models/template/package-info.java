/// The language of chat templates: Jinja as transformers runs it, with no reflection.
///
/// [Template] reads one: [Lexer] makes tokens, [Parser] and [ExpressionParser] make [Statement]s
/// and [Expression]s. [Interpreter] and [Evaluator] run them over [Values], where each string is a
/// [Text] that knows which of its characters came from data; [Run] counts steps, depth and size.
/// Python's operators are in [Operators] and [Numbers], attributes in [Access], [TextMethods] and
/// [ListMethods], formats in [Formatting], [Printing] and [Json]; Jinja's vocabulary is in
/// [Filters], [ListFilters], [Tests] and [Functions].
package io.gatun.models.template;
