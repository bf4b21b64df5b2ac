package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.Set;

/// Jinja's tests: `value is name` or `value is name(argument)`.
final class Tests {
  private static final Set<String> NAMES =
      Set.of(
          "defined",
          "undefined",
          "none",
          "boolean",
          "true",
          "false",
          "integer",
          "float",
          "number",
          "string",
          "mapping",
          "iterable",
          "sequence",
          "callable",
          "escaped",
          "sameas",
          "in",
          "even",
          "odd",
          "divisibleby",
          "lower",
          "upper",
          "filter",
          "test",
          "eq",
          "equalto",
          "==",
          "ne",
          "!=",
          "lt",
          "lessthan",
          "<",
          "le",
          "<=",
          "gt",
          "greaterthan",
          ">",
          "ge",
          ">=");

  private Tests() {}

  static boolean apply(String name, Object value, Arguments arguments, Run run) {
    run.charge(1);
    boolean passes =
        switch (name) {
          case "defined" -> !(value instanceof Undefined);
          case "undefined" -> value instanceof Undefined;
          case "none" -> value == null;
          case "boolean" -> value instanceof Boolean;
          case "true" -> value instanceof Boolean b && b;
          case "false" -> value instanceof Boolean b && !b;
          case "integer" -> Numbers.isInteger(value) && !(value instanceof Boolean);
          case "float" -> value instanceof Double;
          case "number" -> Numbers.isNumber(value);
          case "string" -> value instanceof Text;
          case "mapping" -> value instanceof Dict;
          case "iterable" ->
              value instanceof Text
                  || value instanceof Seq
                  || value instanceof Dict
                  || value instanceof Undefined;
          case "sequence" ->
              value instanceof Text
                  || value instanceof Dict
                  || value instanceof Undefined
                  || (value instanceof Seq seq && seq.isSequence());
          case "callable" -> value instanceof Function || value instanceof Undefined;
          case "escaped" -> false;
          case "sameas" -> same(value, arguments.need("other"));
          case "in" -> Values.contains(arguments.need("seq"), value, run);
          case "even", "odd", "divisibleby" -> divisible(name, value, arguments, run);
          case "lower" -> Strings.allCased(Strings.soft(value, run), Character::isLowerCase);
          case "upper" -> Strings.allCased(Strings.soft(value, run), Character::isUpperCase);
          case "filter" -> Filters.exists(Strings.soft(value, run).chars());
          case "test" -> NAMES.contains(Strings.soft(value, run).chars());
          default -> compared(name, value, arguments, run);
        };
    arguments.done("the test '" + name + "'");
    return passes;
  }

  private static boolean compared(String name, Object value, Arguments arguments, Run run) {
    String operator =
        switch (name) {
          case "eq", "equalto", "==" -> "==";
          case "ne", "!=" -> "!=";
          case "lt", "lessthan", "<" -> "<";
          case "le", "<=" -> "<=";
          case "gt", "greaterthan", ">" -> ">";
          case "ge", ">=" -> ">=";
          default -> throw new TemplateError("there is no test '%s'".formatted(name));
        };
    return Operators.compare(operator, value, arguments.need("other"), run);
  }

  /// Python's `is`; small numbers and equal constants are one object there.
  private static boolean same(Object a, Object b) {
    return a == b
        || (a instanceof Long x && b instanceof Long y && x.equals(y))
        || (a instanceof Boolean x && b instanceof Boolean y && x.equals(y))
        || (a instanceof Text x && b instanceof Text y && x.equals(y));
  }

  private static boolean divisible(String name, Object value, Arguments arguments, Run run) {
    Object divisor = name.equals("divisibleby") ? arguments.need("num") : (Object) 2L;
    Object rest = Operators.arithmetic("%", value, divisor, run);
    return name.equals("odd") ? rest.equals(1L) || rest.equals(1.0) : !Values.isTrue(rest);
  }
}
