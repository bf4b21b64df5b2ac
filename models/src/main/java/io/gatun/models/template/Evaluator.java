package io.gatun.models.template;

import io.gatun.models.template.Expression.And;
import io.gatun.models.template.Expression.Arithmetic;
import io.gatun.models.template.Expression.Attribute;
import io.gatun.models.template.Expression.Call;
import io.gatun.models.template.Expression.CallArguments;
import io.gatun.models.template.Expression.Compare;
import io.gatun.models.template.Expression.Concat;
import io.gatun.models.template.Expression.Conditional;
import io.gatun.models.template.Expression.Constant;
import io.gatun.models.template.Expression.DictOf;
import io.gatun.models.template.Expression.Filter;
import io.gatun.models.template.Expression.Item;
import io.gatun.models.template.Expression.ListOf;
import io.gatun.models.template.Expression.Name;
import io.gatun.models.template.Expression.Negative;
import io.gatun.models.template.Expression.Not;
import io.gatun.models.template.Expression.Or;
import io.gatun.models.template.Expression.Positive;
import io.gatun.models.template.Expression.Slice;
import io.gatun.models.template.Expression.Test;
import io.gatun.models.template.Expression.TupleOf;
import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Kind;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/// The values of expressions.
record Evaluator(Run run) {

  Object value(Expression expression, Scope scope) {
    run.enter();
    Object value =
        switch (expression) {
          case Constant(Object constant) -> constant;
          case Name(String name) -> scope.get(name);
          case ListOf(List<Expression> elements) -> Seq.list(values(elements, scope));
          case TupleOf(List<Expression> elements) -> new Seq(values(elements, scope), Kind.TUPLE);
          case DictOf(List<Expression> keys, List<Expression> values) -> dict(keys, values, scope);
          case Not(Expression operand) -> !isTrue(operand, scope);
          case Negative(Expression operand) -> sign("-", value(operand, scope));
          case Positive(Expression operand) -> sign("+", value(operand, scope));
          case Arithmetic(String operator, Expression left, Expression right) ->
              Operators.arithmetic(operator, value(left, scope), value(right, scope), run);
          case Concat(List<Expression> operands) -> concat(operands, scope);
          case Compare compare -> compare(compare, scope);
          case And(List<Expression> operands) -> first(operands, false, scope);
          case Or(List<Expression> operands) -> first(operands, true, scope);
          case Conditional(Expression condition, Expression then, Expression otherwise) ->
              isTrue(condition, scope)
                  ? value(then, scope)
                  : otherwise == null
                      ? new Undefined("the inline if has no else, and its condition is false")
                      : value(otherwise, scope);
          case Attribute(Expression object, String name) ->
              Access.attribute(value(object, scope), name, run);
          case Item(Expression object, Expression key) ->
              Access.item(value(object, scope), value(key, scope), run);
          case Slice(Expression object, Expression start, Expression stop, Expression step) ->
              Access.slice(
                  value(object, scope),
                  orNone(start, scope),
                  orNone(stop, scope),
                  orNone(step, scope),
                  run);
          case Call(Expression function, CallArguments arguments) ->
              call(value(function, scope), arguments(arguments, scope));
          case Filter(Expression operand, Expression.FilterCall call) ->
              Filters.apply(
                  call.name(), value(operand, scope), arguments(call.arguments(), scope), run);
          case Test(Expression operand, String name, CallArguments arguments) ->
              Tests.apply(name, value(operand, scope), arguments(arguments, scope), run);
        };
    run.leave();
    return value;
  }

  boolean isTrue(Expression expression, Scope scope) {
    return Values.isTrue(value(expression, scope));
  }

  private Object orNone(Expression expression, Scope scope) {
    return expression == null ? null : value(expression, scope);
  }

  private List<Object> values(List<Expression> expressions, Scope scope) {
    run.charge(4);
    var values = new ArrayList<Object>(expressions.size());
    for (Expression expression : expressions) {
      values.add(value(expression, scope));
    }
    return values;
  }

  private Dict dict(List<Expression> keys, List<Expression> values, Scope scope) {
    run.charge(8 + 4L * keys.size());
    var entries = new LinkedHashMap<Object, Object>();
    for (int i = 0; i < keys.size(); i++) {
      entries.put(Dict.key(value(keys.get(i), scope)), value(values.get(i), scope));
    }
    return new Dict(entries);
  }

  private Object sign(String sign, Object operand) {
    if (operand instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Numbers.isNumber(operand)) {
      throw new TemplateError(
          "bad operand type for unary %s: '%s'".formatted(sign, Values.typeName(operand)));
    }
    return sign.equals("-") ? Numbers.negate(operand) : Numbers.arithmetic("+", operand, 0L);
  }

  private Text concat(List<Expression> operands, Scope scope) {
    var out = new TextBuilder(run);
    for (Expression operand : operands) {
      out.append(Printing.text(value(operand, scope), run));
    }
    return out.build();
  }

  private boolean compare(Compare compare, Scope scope) {
    Object left = value(compare.operands().getFirst(), scope);
    for (int i = 0; i < compare.operators().size(); i++) {
      Object right = value(compare.operands().get(i + 1), scope);
      if (!Operators.compare(compare.operators().get(i), left, right, run)) {
        return false;
      }
      left = right;
    }
    return true;
  }

  /// The first value whose truth is `wanted`, else the last.
  private Object first(List<Expression> operands, boolean wanted, Scope scope) {
    Object value = null;
    for (Expression operand : operands) {
      value = value(operand, scope);
      if (Values.isTrue(value) == wanted) {
        break;
      }
    }
    return value;
  }

  Object call(Object function, Arguments arguments) {
    return switch (function) {
      case Function called -> called.body().call(arguments, run);
      case Undefined undefined -> throw undefined.error();
      case null, default ->
          throw new TemplateError(
              "'%s' object is not callable".formatted(Values.typeName(function)));
    };
  }

  Arguments arguments(CallArguments call, Scope scope) {
    List<Object> positional = values(call.positional(), scope);
    var named = new LinkedHashMap<String, Object>();
    for (int i = 0; i < call.names().size(); i++) {
      if (named.put(call.names().get(i), value(call.named().get(i), scope)) != null) {
        throw new TemplateError("the argument '%s' is there twice".formatted(call.names().get(i)));
      }
    }
    if (call.star() != null) {
      List<Object> spread = Values.iterate(value(call.star(), scope), run);
      run.charge(spread.size());
      positional.addAll(spread);
    }
    if (call.doubleStar() != null) {
      if (!(value(call.doubleStar(), scope) instanceof Dict dict)) {
        throw new TemplateError("what follows ** must be a mapping");
      }
      run.charge(dict.entries().size());
      dict.entries().forEach((name, value) -> named.put(String.valueOf(name), value));
    }
    return new Arguments(positional, named);
  }
}
