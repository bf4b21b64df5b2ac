package io.gatun.models.template;

import io.gatun.models.template.Expression.Call;
import io.gatun.models.template.Expression.CallArguments;
import io.gatun.models.template.Expression.FilterCall;
import io.gatun.models.template.Statement.Branch;
import io.gatun.models.template.Statement.Break;
import io.gatun.models.template.Statement.CallBlock;
import io.gatun.models.template.Statement.Continue;
import io.gatun.models.template.Statement.FilterBlock;
import io.gatun.models.template.Statement.For;
import io.gatun.models.template.Statement.If;
import io.gatun.models.template.Statement.Macro;
import io.gatun.models.template.Statement.Print;
import io.gatun.models.template.Statement.SetBlock;
import io.gatun.models.template.Statement.Target;
import io.gatun.models.template.Statement.With;
import io.gatun.models.template.Statement.Write;
import io.gatun.models.template.Token.Kind;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Makes statements of a template.
final class Parser {
  /// Far more than any model's.
  private static final int MAX_SOURCE = 1 << 20;

  private final TokenReader in;
  private final ExpressionParser expressions;
  private int loops;

  private Parser(String template) {
    in = new TokenReader(Lexer.tokens(template));
    expressions = new ExpressionParser(in);
  }

  /// @throws TemplateError if the template is not right, too long or too deep
  static List<Statement> parse(String template) {
    if (template.length() > MAX_SOURCE) {
      throw new TemplateError(
          "it has %,d characters; need at most %,d".formatted(template.length(), MAX_SOURCE));
    }
    var parser = new Parser(template);
    List<Statement> statements = parser.body();
    if (parser.in.current().kind() != Kind.END) {
      throw parser.in.error("unexpected " + parser.in.current());
    }
    return statements;
  }

  /// Statements up to the end, or to a tag that begins with one of the names, which stays.
  private List<Statement> body(String... ends) {
    in.enter();
    var statements = new ArrayList<Statement>();
    while (true) {
      Token token = in.current();
      switch (token.kind()) {
        case TEXT -> statements.add(new Write(Text.own(in.next().text())));
        case PRINT_BEGIN -> {
          in.next();
          statements.add(new Print(expressions.tuple(), token.line()));
          in.expect(Kind.PRINT_END, "'}}'");
        }
        case BLOCK_BEGIN -> {
          if (List.of(ends).contains(in.following().text())) {
            in.leave();
            return statements;
          }
          in.next();
          statements.add(statement());
        }
        default -> {
          if (ends.length > 0) {
            throw in.error("'{%% %s %%}' is missing".formatted(ends[ends.length - 1]));
          }
          in.leave();
          return statements;
        }
      }
    }
  }

  private Statement statement() {
    Token name = in.expect(Kind.NAME, "a statement");
    int line = name.line();
    return switch (name.text()) {
      case "if" -> parseIf(line);
      case "for" -> parseFor(line);
      case "set" -> parseSet(line);
      case "macro" -> parseMacro();
      case "call" -> parseCall(line);
      case "filter" -> {
        List<FilterCall> filters = filters();
        yield new FilterBlock(filters, block("endfilter"), line);
      }
      case "with" -> parseWith(line);
      // Marks the answer's extent, for training; its variables are its own.
      case "generation" -> new With(List.of(), List.of(), block("endgeneration"), line);
      case "break" -> loopControl(new Break());
      case "continue" -> loopControl(new Continue());
      case "include", "import", "from", "extends" ->
          throw TemplateError.syntax(
              line,
              "'%s' reads other templates, which a chat template may not".formatted(name.text()));
      default -> throw TemplateError.syntax(line, "unknown statement '%s'".formatted(name.text()));
    };
  }

  /// The rest of a tag, then a body, then its end tag.
  private List<Statement> block(String end) {
    endTag();
    List<Statement> body = body(end);
    closing(end);
    return body;
  }

  private void endTag() {
    in.expect(Kind.BLOCK_END, "'%}'");
  }

  private void closing(String end) {
    in.expect(Kind.BLOCK_BEGIN, "'{%'");
    in.expectName(end);
    endTag();
  }

  private Statement loopControl(Statement statement) {
    if (loops == 0) {
      throw in.error("'break' and 'continue' are for loops");
    }
    endTag();
    return statement;
  }

  private Statement parseIf(int line) {
    var branches = new ArrayList<Branch>();
    List<Statement> otherwise = List.of();
    int branchLine = line;
    while (true) {
      Expression condition = expressions.tuple();
      endTag();
      branches.add(new Branch(condition, body("elif", "else", "endif"), branchLine));
      in.next();
      branchLine = in.current().line();
      if (in.skipName("elif")) {
        continue;
      }
      if (in.skipName("else")) {
        endTag();
        otherwise = body("endif");
        in.next();
      }
      in.expectName("endif");
      endTag();
      return new If(branches, otherwise);
    }
  }

  private Statement parseFor(int line) {
    Target target = target("in");
    in.expectName("in");
    Expression values = expressions.unconditional();
    Expression condition = in.skipName("if") ? expressions.expression() : null;
    boolean recursive = in.skipName("recursive");
    endTag();
    loops++;
    List<Statement> body = body("else", "endfor");
    loops--;
    List<Statement> otherwise = List.of();
    in.next();
    if (in.skipName("else")) {
      endTag();
      otherwise = body("endfor");
      in.next();
    }
    in.expectName("endfor");
    endTag();
    return new For(target, values, condition, recursive, body, otherwise, line);
  }

  /// A variable, a namespace's field, or several with commas between them.
  private Target target(String end) {
    Target first = singleTarget();
    if (!in.atOperator(",")) {
      return first;
    }
    var parts = new ArrayList<Target>(List.of(first));
    while (in.skipOperator(",") && in.current().kind() != Kind.BLOCK_END && !atTargetEnd(end)) {
      parts.add(singleTarget());
    }
    return new Target.Unpacked(parts);
  }

  private boolean atTargetEnd(String end) {
    return in.atName(end) || in.atOperator(end);
  }

  private Target singleTarget() {
    if (in.skipOperator("(")) {
      in.enter();
      Target inner = target(")");
      in.leave();
      in.expectOperator(")");
      return inner;
    }
    String name = in.expect(Kind.NAME, "a variable's name").text();
    if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw in.error("'%s' cannot be set".formatted(name));
    }
    if (in.skipOperator(".")) {
      return new Target.Field(name, in.expect(Kind.NAME, "a field's name").text());
    }
    return new Target.Variable(name);
  }

  private Statement parseSet(int line) {
    Target target = target("=");
    if (in.skipOperator("=")) {
      Expression value = expressions.tuple();
      endTag();
      return new Statement.Set(target, value, line);
    }
    var filters = new ArrayList<FilterCall>();
    while (in.skipOperator("|")) {
      filters.add(expressions.filterCall());
    }
    return new SetBlock(target, filters, block("endset"), line);
  }

  private List<FilterCall> filters() {
    var filters = new ArrayList<FilterCall>(List.of(expressions.filterCall()));
    while (in.skipOperator("|")) {
      filters.add(expressions.filterCall());
    }
    return filters;
  }

  private Statement parseWith(int line) {
    var names = new ArrayList<String>();
    var values = new ArrayList<Expression>();
    while (in.current().kind() != Kind.BLOCK_END) {
      if (!names.isEmpty()) {
        in.expectOperator(",");
      }
      names.add(in.expect(Kind.NAME, "a variable's name").text());
      in.expectOperator("=");
      values.add(expressions.expression());
    }
    return new With(names, values, block("endwith"), line);
  }

  private Macro parseMacro() {
    String name = in.expect(Kind.NAME, "the macro's name").text();
    in.expectOperator("(");
    return macro(name, "endmacro");
  }

  private Statement parseCall(int line) {
    Macro[] caller = new Macro[1];
    boolean parameters = in.skipOperator("(");
    var names = new ArrayList<String>();
    var defaults = new ArrayList<Expression>();
    if (parameters) {
      parameters(names, defaults);
    }
    Expression call = expressions.expression();
    if (!(call instanceof Call(Expression function, CallArguments arguments))) {
      throw in.error("'call' needs the call of a macro");
    }
    caller[0] = macroBody("caller", names, defaults, "endcall");
    return new CallBlock(function, arguments, caller[0], line);
  }

  private Macro macro(String name, String end) {
    var names = new ArrayList<String>();
    var defaults = new ArrayList<Expression>();
    parameters(names, defaults);
    return macroBody(name, names, defaults, end);
  }

  /// Behind the opening parenthesis.
  private void parameters(List<String> names, List<Expression> defaults) {
    while (!in.skipOperator(")")) {
      if (!names.isEmpty()) {
        in.expectOperator(",");
        if (in.skipOperator(")")) {
          break;
        }
      }
      names.add(in.expect(Kind.NAME, "a parameter's name").text());
      if (in.skipOperator("=")) {
        defaults.add(expressions.expression());
      } else if (!defaults.isEmpty()) {
        throw in.error("a parameter without a default follows one with a default");
      }
    }
  }

  private Macro macroBody(
      String name, List<String> parameters, List<Expression> defaults, String end) {
    int outerLoops = loops;
    loops = 0;
    var used = new HashSet<String>();
    List<Statement> body = expressions.collectingNames(used, () -> block(end));
    loops = outerLoops;
    used.retainAll(Set.of("varargs", "kwargs", "caller"));
    used.removeAll(parameters);
    return new Macro(name, parameters, defaults, body, used);
  }
}
