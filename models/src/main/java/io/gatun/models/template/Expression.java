package io.gatun.models.template;

import java.util.List;

/// What has a value.
sealed interface Expression {
  /// A text, number, boolean or none.
  record Constant(Object value) implements Expression {}

  record Name(String name) implements Expression {}

  record ListOf(List<Expression> elements) implements Expression {}

  record TupleOf(List<Expression> elements) implements Expression {}

  record DictOf(List<Expression> keys, List<Expression> values) implements Expression {}

  record Not(Expression operand) implements Expression {}

  record Negative(Expression operand) implements Expression {}

  record Positive(Expression operand) implements Expression {}

  record Arithmetic(String operator, Expression left, Expression right) implements Expression {}

  /// `a ~ b ~ c`.
  record Concat(List<Expression> operands) implements Expression {}

  /// `a < b <= c`: each operator stands between two operands.
  record Compare(List<String> operators, List<Expression> operands) implements Expression {}

  record And(List<Expression> operands) implements Expression {}

  record Or(List<Expression> operands) implements Expression {}

  /// `then if condition else otherwise`; `otherwise` may be null.
  record Conditional(Expression condition, Expression then, Expression otherwise)
      implements Expression {}

  record Attribute(Expression object, String name) implements Expression {}

  record Item(Expression object, Expression key) implements Expression {}

  /// `object[start:stop:step]`, each of which may be null.
  record Slice(Expression object, Expression start, Expression stop, Expression step)
      implements Expression {}

  record Call(Expression function, CallArguments arguments) implements Expression {}

  record Filter(Expression value, FilterCall call) implements Expression {}

  record Test(Expression value, String name, CallArguments arguments) implements Expression {}

  record FilterCall(String name, CallArguments arguments) {}

  /// What stands between the parentheses of a call.
  ///
  /// @param star `*list`, or null
  /// @param doubleStar `**mapping`, or null
  record CallArguments(
      List<Expression> positional,
      List<String> names,
      List<Expression> named,
      Expression star,
      Expression doubleStar) {
    static final CallArguments NONE =
        new CallArguments(List.of(), List.of(), List.of(), null, null);

    static CallArguments of(List<Expression> positional) {
      return new CallArguments(positional, List.of(), List.of(), null, null);
    }
  }
}
