package io.gatun.models.template;

import io.gatun.models.template.Expression.CallArguments;
import io.gatun.models.template.Expression.FilterCall;
import java.util.List;

/// What is done in its place in the text.
sealed interface Statement {
  /// Text outside of tags.
  record Write(Text text) implements Statement {}

  record Print(Expression value, int line) implements Statement {}

  record If(List<Branch> branches, List<Statement> otherwise) implements Statement {}

  record Branch(Expression condition, List<Statement> body, int line) {}

  /// A loop.
  ///
  /// @param condition of `for x in y if condition`, or null
  record For(
      Target target,
      Expression values,
      Expression condition,
      boolean recursive,
      List<Statement> body,
      List<Statement> otherwise,
      int line)
      implements Statement {}

  record Set(Target target, Expression value, int line) implements Statement {}

  record SetBlock(Target target, List<FilterCall> filters, List<Statement> body, int line)
      implements Statement {}

  /// What `{% macro %}` and `{% call %}` define.
  ///
  /// @param defaults of the last parameters
  /// @param uses which of `varargs`, `kwargs` and `caller` the body names
  record Macro(
      String name,
      List<String> parameters,
      List<Expression> defaults,
      List<Statement> body,
      java.util.Set<String> uses)
      implements Statement {}

  record CallBlock(Expression function, CallArguments arguments, Macro caller, int line)
      implements Statement {}

  record FilterBlock(List<FilterCall> filters, List<Statement> body, int line)
      implements Statement {}

  /// A body with variables of its own.
  record With(List<String> names, List<Expression> values, List<Statement> body, int line)
      implements Statement {}

  record Break() implements Statement {}

  record Continue() implements Statement {}

  /// What a value is bound to.
  sealed interface Target {
    record Variable(String name) implements Target {}

    /// `ns.name`.
    record Field(String namespace, String name) implements Target {}

    record Unpacked(List<Target> parts) implements Target {}
  }
}
