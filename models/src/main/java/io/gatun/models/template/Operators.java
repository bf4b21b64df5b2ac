package io.gatun.models.template;

import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.ArrayList;

/// Python's operators between two values.
final class Operators {
  private Operators() {}

  static Object arithmetic(String operator, Object a, Object b, Run run) {
    if (Numbers.isNumber(a) && Numbers.isNumber(b)) {
      Object result = Numbers.arithmetic(operator, a, b);
      run.charge(Numbers.cost(a) + Numbers.cost(b) + Numbers.cost(result));
      return result;
    }
    if (a instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (a instanceof Text format && operator.equals("%")) {
      return Formatting.percent(format, b, run);
    }
    if (b instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (operator.equals("+")) {
      if (a instanceof Text x && b instanceof Text y) {
        return new TextBuilder(run).append(x).append(y).build();
      }
      if (a instanceof Seq x && b instanceof Seq y && x.isSequence() && x.kind() == y.kind()) {
        run.charge((long) x.items().size() + y.items().size());
        var items = new ArrayList<>(x.items());
        items.addAll(y.items());
        return new Seq(items, x.kind());
      }
    }
    if (operator.equals("*")) {
      if (Numbers.isInteger(b)) {
        return times(a, Numbers.toInt(b, "a factor"), b, run);
      }
      if (Numbers.isInteger(a)) {
        return times(b, Numbers.toInt(a, "a factor"), a, run);
      }
    }
    throw new TemplateError(
        "unsupported operand types for %s: '%s' and '%s'"
            .formatted(operator, Values.typeName(a), Values.typeName(b)));
  }

  private static Object times(Object value, int factor, Object number, Run run) {
    if (value instanceof Text text) {
      return Strings.repeat(text, factor, run);
    }
    if (value instanceof Seq seq && seq.isSequence()) {
      run.charge((long) seq.items().size() * Math.max(factor, 0));
      var items = new ArrayList<Object>();
      for (int i = 0; i < factor && !seq.items().isEmpty(); i++) {
        items.addAll(seq.items());
      }
      return new Seq(items, seq.kind());
    }
    throw new TemplateError(
        "unsupported operand types for *: '%s' and '%s'"
            .formatted(Values.typeName(value), Values.typeName(number)));
  }

  static boolean compare(String operator, Object a, Object b, Run run) {
    return switch (operator) {
      case "==" -> Values.equal(a, b, run);
      case "!=" -> !Values.equal(a, b, run);
      case "in" -> Values.contains(b, a, run);
      case "not in" -> !Values.contains(b, a, run);
      case "<" -> Values.compare(a, b, run) == -1;
      case ">" -> Values.compare(a, b, run) == 1;
      case "<=" -> Values.compare(a, b, run) <= 0;
      default -> {
        int order = Values.compare(a, b, run);
        yield order == 0 || order == 1;
      }
    };
  }
}
