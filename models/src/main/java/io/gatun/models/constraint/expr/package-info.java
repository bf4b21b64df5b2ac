/// What a constraint's texts are made of, however it was written: [Expr] is a tree of expressions,
/// [CharDfa] an automaton over characters, which are sets of [CodePoints]; [Utf8] makes bytes of
/// them. [Regex] reads regular expressions.
package io.gatun.models.constraint.expr;
