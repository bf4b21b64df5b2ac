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
import io.gatun.models.template.Expression.FilterCall;
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
import io.gatun.models.template.Token.Kind;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/// Jinja's expressions, from the loosest operator to the tightest: `if`, `or`, `and`, `not`,
/// comparisons, `+ -`, `~`, `* / // %`, `**`, signs, then filters, tests and calls.
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private final TokenReader in;

  /// The names read so far; the parser of statements looks for those that a macro uses.
  private Set<String> names = new HashSet<>();

  ExpressionParser(TokenReader in) {
    this.in = in;
  }

  /// Runs a part of the parser and returns what it made; the names that it read are in `into`.
  <T> T collectingNames(Set<String> into, Supplier<T> part) {
    Set<String> outer = names;
    names = into;
    try {
      return part.get();
    } finally {
      names = outer;
      outer.addAll(into);
    }
  }

  Expression expression() {
    in.enter();
    Expression value = or();
    while (in.skipName("if")) {
      Expression condition = or();
      Expression otherwise = in.skipName("else") ? expression() : null;
      value = new Conditional(condition, value, otherwise);
    }
    in.leave();
    return value;
  }

  /// One without `if`, as `for x in y if z` wants.
  Expression unconditional() {
    return tuple(this::or);
  }

  /// An expression, or several with commas between them: a tuple.
  Expression tuple() {
    return tuple(this::expression);
  }

  private Expression tuple(Supplier<Expression> element) {
    Expression first = element.get();
    if (!in.atOperator(",")) {
      return first;
    }
    var elements = new ArrayList<Expression>(List.of(first));
    while (in.skipOperator(",") && !atTupleEnd()) {
      elements.add(element.get());
    }
    return new TupleOf(elements);
  }

  private boolean atTupleEnd() {
    return in.current().kind() == Kind.BLOCK_END
        || in.current().kind() == Kind.PRINT_END
        || in.atOperator(")");
  }

  private Expression or() {
    Expression first = and();
    if (!in.atName("or")) {
      return first;
    }
    var operands = new ArrayList<Expression>(List.of(first));
    while (in.skipName("or")) {
      operands.add(and());
    }
    return new Or(operands);
  }

  private Expression and() {
    Expression first = not();
    if (!in.atName("and")) {
      return first;
    }
    var operands = new ArrayList<Expression>(List.of(first));
    while (in.skipName("and")) {
      operands.add(not());
    }
    return new And(operands);
  }

  private Expression not() {
    if (!in.skipName("not")) {
      return compare();
    }
    in.enter();
    Expression operand = not();
    in.leave();
    return new Not(operand);
  }

  private Expression compare() {
    Expression first = sum();
    List<String> operators = null;
    List<Expression> operands = null;
    for (String operator = comparison(); operator != null; operator = comparison()) {
      if (operators == null) {
        operators = new ArrayList<>();
        operands = new ArrayList<>(List.of(first));
      }
      operators.add(operator);
      operands.add(sum());
    }
    return operators == null ? first : new Compare(operators, operands);
  }

  /// Takes a comparison operator in; null if there is none.
  private String comparison() {
    Token token = in.current();
    if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
      return in.next().text();
    }
    if (in.skipName("in")) {
      return "in";
    }
    if (in.atName("not") && in.following().isName("in")) {
      in.next();
      in.next();
      return "not in";
    }
    return null;
  }

  private Expression sum() {
    Expression left = concat();
    while (in.atOperator("+") || in.atOperator("-")) {
      left = new Arithmetic(in.next().text(), left, concat());
    }
    return left;
  }

  private Expression concat() {
    Expression first = product();
    if (!in.atOperator("~")) {
      return first;
    }
    var operands = new ArrayList<Expression>(List.of(first));
    while (in.skipOperator("~")) {
      operands.add(product());
    }
    return new Concat(operands);
  }

  private Expression product() {
    Expression left = power();
    while (in.atOperator("*") || in.atOperator("/") || in.atOperator("//") || in.atOperator("%")) {
      left = new Arithmetic(in.next().text(), left, power());
    }
    return left;
  }

  private Expression power() {
    Expression left = unary(true);
    while (in.atOperator("**")) {
      left = new Arithmetic(in.next().text(), left, unary(true));
    }
    return left;
  }

  private Expression unary(boolean withFilters) {
    in.enter();
    Expression value;
    if (in.skipOperator("-")) {
      value = new Negative(unary(false));
    } else if (in.skipOperator("+")) {
      value = new Positive(unary(false));
    } else {
      value = postfix(primary());
    }
    in.leave();
    return withFilters ? filters(value) : value;
  }

  private Expression primary() {
    Token token = in.next();
    switch (token.kind()) {
      case NAME -> {
        names.add(token.text());
        return switch (token.text()) {
          case "true", "True" -> new Constant(true);
          case "false", "False" -> new Constant(false);
          case "none", "None" -> new Constant(null);
          default -> new Name(token.text());
        };
      }
      case STRING -> {
        var text = new StringBuilder(token.text());
        while (in.current().kind() == Kind.STRING) {
          text.append(in.next().text());
        }
        return new Constant(Text.own(text.toString()));
      }
      case INTEGER -> {
        return new Constant(integer(token));
      }
      case FLOAT -> {
        return new Constant(Double.parseDouble(token.text()));
      }
      case OPERATOR -> {
        switch (token.text()) {
          case "(" -> {
            Expression value = in.atOperator(")") ? new TupleOf(List.of()) : tuple();
            in.expectOperator(")");
            return value;
          }
          case "[" -> {
            return new ListOf(elements("]"));
          }
          case "{" -> {
            return dict();
          }
          default -> {}
        }
      }
      case TEXT, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, END -> {}
    }
    throw TemplateError.syntax(token.line(), "found %s; need a value".formatted(token));
  }

  private static Object integer(Token token) {
    String digits = token.text();
    if (digits.length() > Numbers.MAX_DIGITS) {
      throw TemplateError.syntax(
          token.line(), "a number has more than %d digits".formatted(Numbers.MAX_DIGITS));
    }
    int radix =
        digits.length() < 2
            ? 10
            : switch (digits.charAt(1)) {
              case 'x', 'X' -> 16;
              case 'o', 'O' -> 8;
              case 'b', 'B' -> 2;
              default -> 10;
            };
    if (radix != 10 && digits.length() == 2) {
      throw TemplateError.syntax(token.line(), "'%s' is no number".formatted(digits));
    }
    return Numbers.of(new BigInteger(radix == 10 ? digits : digits.substring(2), radix));
  }

  private List<Expression> elements(String end) {
    var elements = new ArrayList<Expression>();
    while (!in.skipOperator(end)) {
      if (!elements.isEmpty()) {
        in.expectOperator(",");
        if (in.skipOperator(end)) {
          break;
        }
      }
      elements.add(expression());
    }
    return elements;
  }

  private Expression dict() {
    var keys = new ArrayList<Expression>();
    var values = new ArrayList<Expression>();
    while (!in.skipOperator("}")) {
      if (!keys.isEmpty()) {
        in.expectOperator(",");
        if (in.skipOperator("}")) {
          break;
        }
      }
      keys.add(expression());
      in.expectOperator(":");
      values.add(expression());
    }
    return new DictOf(keys, values);
  }

  private Expression postfix(Expression start) {
    Expression value = start;
    while (true) {
      if (in.skipOperator(".")) {
        Token name = in.next();
        switch (name.kind()) {
          case NAME -> value = new Attribute(value, name.text());
          case INTEGER -> value = new Item(value, new Constant(integer(name)));
          default ->
              throw TemplateError.syntax(
                  name.line(), "found %s; need a name after the dot".formatted(name));
        }
      } else if (in.skipOperator("[")) {
        value = subscript(value);
      } else if (in.atOperator("(")) {
        value = new Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression object) {
    Expression start = in.atOperator(":") ? null : tuple(this::expression);
    if (in.skipOperator("]")) {
      return new Item(object, start);
    }
    in.expectOperator(":");
    Expression stop = in.atOperator("]") || in.atOperator(":") ? null : expression();
    Expression step = null;
    if (in.skipOperator(":") && !in.atOperator("]")) {
      step = expression();
    }
    in.expectOperator("]");
    return new Slice(object, start, stop, step);
  }

  private Expression filters(Expression start) {
    Expression value = start;
    while (true) {
      if (in.atOperator("|")) {
        in.next();
        value = new Filter(value, filterCall());
      } else if (in.skipName("is")) {
        value = test(value);
      } else if (in.atOperator("(")) {
        value = new Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /// A filter's name and arguments, behind the `|`.
  FilterCall filterCall() {
    String name = in.expect(Kind.NAME, "a filter's name").text();
    return new FilterCall(name, in.atOperator("(") ? arguments() : CallArguments.NONE);
  }

  private Expression test(Expression value) {
    boolean negated = in.skipName("not");
    String name = in.expect(Kind.NAME, "a test's name").text();
    CallArguments arguments = CallArguments.NONE;
    if (in.atOperator("(")) {
      arguments = arguments();
    } else if (beginsTestArgument()) {
      if (in.atName("is")) {
        throw in.error("tests cannot be chained with 'is'");
      }
      arguments = CallArguments.of(List.of(postfix(primary())));
    }
    Expression test = new Test(value, name, arguments);
    return negated ? new Not(test) : test;
  }

  private boolean beginsTestArgument() {
    Token token = in.current();
    return switch (token.kind()) {
      case NAME -> !(token.isName("else") || token.isName("or") || token.isName("and"));
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.isOperator("[") || token.isOperator("{");
      case TEXT, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, END -> false;
    };
  }

  /// Arguments in parentheses.
  CallArguments arguments() {
    in.expectOperator("(");
    var positional = new ArrayList<Expression>();
    var argumentNames = new ArrayList<String>();
    var named = new ArrayList<Expression>();
    Expression star = null;
    Expression doubleStar = null;
    boolean any = false;
    while (!in.skipOperator(")")) {
      if (any) {
        in.expectOperator(",");
        if (in.skipOperator(")")) {
          break;
        }
      }
      any = true;
      if (in.skipOperator("**")) {
        doubleStar = once(doubleStar);
      } else if (in.skipOperator("*")) {
        star = once(star);
      } else if (in.current().kind() == Kind.NAME && in.following().isOperator("=")) {
        argumentNames.add(in.next().text());
        in.next();
        named.add(expression());
      } else if (named.isEmpty() && star == null && doubleStar == null) {
        positional.add(expression());
      } else {
        throw in.error("an argument without a name follows one with a name");
      }
    }
    return new CallArguments(positional, argumentNames, named, star, doubleStar);
  }

  private Expression once(Expression before) {
    if (before != null) {
      throw in.error("more than one list or mapping is spread into a call");
    }
    return expression();
  }
}
