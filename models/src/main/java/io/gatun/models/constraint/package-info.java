/// Output that is always valid: JSON by a schema, grammars in llama.cpp's form, regular
/// expressions, and lists of choices.
///
/// [Constraint] is what a user makes. Each form is read into one tree of
/// [io.gatun.models.constraint.expr.Expr], schemas by [io.gatun.models.constraint.json.JsonSchema],
/// grammars by [Gbnf]; [Nfa] makes automata over bytes of its rules, [LeftRecursion] and [Grammar]
/// make them fit to run. [States] is an Earley parser that keeps its item sets as the states of an
/// automaton; [Masks] walks over the vocabulary's tries ([TokenTrie]) with it, and says which
/// tokens may come next. [Costs] knows how far the end is, so that an answer can be brought to its
/// end within a limit. [Matcher] is one text.
package io.gatun.models.constraint;
