package io.gatun.models.template;

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
import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Namespace;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Runs a template's statements.
final class Interpreter {
  /// How a body ended.
  private enum End {
    DONE,
    BREAK,
    CONTINUE
  }

  private final Run run;
  private final Evaluator expressions;

  private Interpreter(Run run) {
    this.run = run;
    expressions = new Evaluator(run);
  }

  /// The text that the statements write.
  ///
  /// @throws TemplateError if the template refuses, errs, or needs too much
  static Text render(List<Statement> template, Map<String, Object> variables, Run run) {
    var scope = new Scope(new Scope(null, Functions.all()), variables);
    var out = new TextBuilder(run);
    new Interpreter(run).run(template, scope, out);
    return out.build();
  }

  private End run(List<Statement> body, Scope scope, TextBuilder out) {
    for (Statement statement : body) {
      End end = run(statement, scope, out);
      if (end != End.DONE) {
        return end;
      }
    }
    return End.DONE;
  }

  private End run(Statement statement, Scope scope, TextBuilder out) {
    run.enter();
    End end = End.DONE;
    switch (statement) {
      case Write(Text text) -> out.append(text);
      case Print(Expression value, int line) -> {
        run.at(line);
        out.append(Printing.text(expressions.value(value, scope), run));
      }
      case If(List<Branch> branches, List<Statement> otherwise) ->
          end = run(chosen(branches, otherwise, scope), scope, out);
      case For loop -> {
        run.at(loop.line());
        end = new Loop(this, loop, scope, null).run(expressions.value(loop.values(), scope), out);
      }
      case Statement.Set(Target target, Expression value, int line) -> {
        run.at(line);
        bind(target, expressions.value(value, scope), scope);
      }
      case SetBlock(Target target, List<FilterCall> filters, List<Statement> body, int line) ->
          bind(target, captured(body, filters, scope), scope);
      case Macro macro -> scope.set(macro.name(), function(macro, scope));
      case CallBlock call -> {
        run.at(call.line());
        Object function = expressions.value(call.function(), scope);
        Arguments arguments = expressions.arguments(call.arguments(), scope);
        var named = arguments.restNamed();
        named.put("caller", function(call.caller(), scope));
        Object result = expressions.call(function, new Arguments(arguments.rest(), named));
        out.append(Printing.text(result, run));
      }
      case FilterBlock(List<FilterCall> filters, List<Statement> body, int line) ->
          out.append(Printing.text(captured(body, filters, scope), run));
      case With with -> {
        Scope inner = scope.inner();
        for (int i = 0; i < with.names().size(); i++) {
          inner.set(with.names().get(i), expressions.value(with.values().get(i), scope));
        }
        end = run(with.body(), inner, out);
      }
      case Break() -> end = End.BREAK;
      case Continue() -> end = End.CONTINUE;
    }
    run.leave();
    return end;
  }

  private List<Statement> chosen(List<Branch> branches, List<Statement> otherwise, Scope scope) {
    for (Branch branch : branches) {
      run.at(branch.line());
      if (expressions.isTrue(branch.condition(), scope)) {
        return branch.body();
      }
    }
    return otherwise;
  }

  /// What a body writes, and then filters make of it.
  private Object captured(List<Statement> body, List<FilterCall> filters, Scope scope) {
    var out = new TextBuilder(run);
    Scope inner = scope.inner();
    run(body, inner, out);
    Object value = out.build();
    for (FilterCall filter : filters) {
      Arguments arguments = expressions.arguments(filter.arguments(), scope);
      value = Filters.apply(filter.name(), value, arguments, run);
    }
    return value;
  }

  private void bind(Target target, Object value, Scope scope) {
    switch (target) {
      case Target.Variable(String name) -> scope.set(name, value);
      case Target.Field(String name, String field) -> {
        if (!(scope.get(name) instanceof Namespace namespace)) {
          throw new TemplateError("cannot assign attribute on non-namespace object");
        }
        run.charge(4);
        namespace.fields().put(field, value);
      }
      case Target.Unpacked(List<Target> parts) -> {
        List<Object> values = Values.iterate(value, run);
        if (values.size() != parts.size()) {
          throw new TemplateError(
              "cannot unpack %d values into %d variables".formatted(values.size(), parts.size()));
        }
        for (int i = 0; i < parts.size(); i++) {
          bind(parts.get(i), values.get(i), scope);
        }
      }
    }
  }

  private Function function(Macro macro, Scope scope) {
    var fields = new LinkedHashMap<String, Object>();
    fields.put("name", Text.own(macro.name()));
    var parameters = new ArrayList<Object>();
    macro.parameters().forEach(name -> parameters.add(Text.own(name)));
    fields.put("arguments", new Seq(parameters, Values.Kind.TUPLE));
    fields.put("catch_varargs", macro.uses().contains("varargs"));
    fields.put("catch_kwargs", macro.uses().contains("kwargs"));
    fields.put("caller", macro.uses().contains("caller"));
    return new Function(
        macro.name(), (arguments, _) -> call(macro, arguments, scope.inner()), fields);
  }

  private Text call(Macro macro, Arguments arguments, Scope scope) {
    run.enter();
    run.charge(8);
    int line = run.line();
    int first = macro.parameters().size() - macro.defaults().size();
    for (int i = 0; i < macro.parameters().size(); i++) {
      String name = macro.parameters().get(i);
      Object value =
          arguments.has(name)
              ? arguments.take(name, null)
              : i >= first
                  ? expressions.value(macro.defaults().get(i - first), scope)
                  : new Undefined("parameter '%s' was not provided".formatted(name));
      scope.set(name, value);
    }
    if (macro.uses().contains("caller")) {
      scope.set("caller", arguments.takeNamed("caller", new Undefined("No caller defined")));
    }
    if (macro.uses().contains("varargs")) {
      scope.set("varargs", new Seq(arguments.rest(), Values.Kind.TUPLE));
    }
    if (macro.uses().contains("kwargs")) {
      var entries = new LinkedHashMap<Object, Object>();
      arguments.restNamed().forEach((name, value) -> entries.put(Text.own(name), value));
      scope.set("kwargs", new Dict(entries));
    }
    arguments.done("the macro '" + macro.name() + "'");
    var out = new TextBuilder(run);
    run(macro.body(), scope, out);
    run.at(line);
    run.leave();
    return out.build();
  }

  /// One loop, and the object `loop` in it.
  private static final class Loop {
    private final Interpreter in;
    private final For statement;
    private final Scope outer;
    private final int depth;
    private final Map<String, Object> fields = new LinkedHashMap<>();
    private int index;
    private Object lastChanged;

    Loop(Interpreter in, For statement, Scope outer, Loop around) {
      this.in = in;
      this.statement = statement;
      this.outer = outer;
      depth = around == null ? 1 : around.depth + 1;
    }

    End run(Object values, TextBuilder out) {
      List<Object> items = chosen(Values.iterate(values, in.run));
      if (items.isEmpty()) {
        return in.run(statement.otherwise(), outer, out);
      }
      var loop = new Function("loop", this::again, fields);
      fields.put("length", (long) items.size());
      fields.put("depth", (long) depth);
      fields.put("depth0", depth - 1L);
      fields.put("cycle", ListMethods.method("cycle", (arguments, _) -> cycle(arguments.rest())));
      fields.put("changed", ListMethods.method("changed", this::changed));
      for (index = 0; index < items.size(); index++) {
        in.run.charge(8);
        long left = items.size() - 1L - index;
        fields.put("index", index + 1L);
        fields.put("index0", (long) index);
        fields.put("revindex", left + 1);
        fields.put("revindex0", left);
        fields.put("first", index == 0);
        fields.put("last", left == 0);
        fields.put("previtem", index == 0 ? none("previous") : items.get(index - 1));
        fields.put("nextitem", left == 0 ? none("next") : items.get(index + 1));
        Scope scope = outer.inner();
        scope.set("loop", loop);
        in.bind(statement.target(), items.get(index), scope);
        if (in.run(statement.body(), scope, out) == End.BREAK) {
          break;
        }
      }
      return End.DONE;
    }

    private static Undefined none(String which) {
      return new Undefined("there is no %s item".formatted(which));
    }

    private List<Object> chosen(List<Object> items) {
      if (statement.condition() == null) {
        return items;
      }
      var chosen = new ArrayList<Object>();
      for (Object item : items) {
        Scope scope = outer.inner();
        in.bind(statement.target(), item, scope);
        if (in.expressions.isTrue(statement.condition(), scope)) {
          chosen.add(item);
        }
      }
      return chosen;
    }

    /// `loop(values)`: the same body over other values.
    private Object again(Arguments arguments, Run run) {
      if (!statement.recursive()) {
        throw new TemplateError(
            "The loop must have the 'recursive' marker to be called recursively.");
      }
      Object values = arguments.need("iterable");
      arguments.done("loop");
      run.enter();
      var out = new TextBuilder(run);
      new Loop(in, statement, outer, this).run(values, out);
      run.leave();
      return out.build();
    }

    private Object cycle(List<Object> values) {
      if (values.isEmpty()) {
        throw new TemplateError("no items for cycling given");
      }
      return values.get(index % values.size());
    }

    private Object changed(Arguments arguments, Run run) {
      Object values = new Seq(arguments.rest(), Values.Kind.TUPLE);
      boolean changed = lastChanged == null || !Values.equal(lastChanged, values, run);
      lastChanged = values;
      return changed;
    }
  }
}
