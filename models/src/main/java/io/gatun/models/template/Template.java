package io.gatun.models.template;

import java.time.Clock;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A chat template, in the part of Jinja that Hugging Face's `apply_chat_template` runs. Immutable,
/// for use by any number of threads.
///
/// A template comes with a model's file, so it is not trusted: it reaches nothing but the values
/// that it is given, and a rendering is bounded in time, depth and memory.
public final class Template {
  private final List<Statement> statements;

  private Template(List<Statement> statements) {
    this.statements = statements;
  }

  /// What a template wrote.
  ///
  /// @param data the characters (Java's) that came out of the variables' strings, on whatever way;
  ///   all others the template wrote itself
  public record Rendered(String text, BitSet data) {}

  /// Reads a template.
  ///
  /// @throws TemplateError if it is not right, too long, or nested too deep
  public static Template parse(String source) {
    try {
      return new Template(Parser.parse(source));
    } catch (StackOverflowError e) {
      throw tooDeep();
    }
  }

  /// A string for a variable that counts as the template's own.
  public static Object own(String text) {
    return Text.own(text);
  }

  /// Runs the template.
  ///
  /// @param variables strings, numbers, booleans, null, lists and maps of them, and [#own]
  /// @param clock for `strftime_now`
  /// @throws TemplateError if the template refuses, errs, or needs too much
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public Rendered render(Map<String, ?> variables, Clock clock) {
    var values = new HashMap<String, Object>();
    long size = 0;
    for (Map.Entry<String, ?> variable : variables.entrySet()) {
      Object value = Values.of(variable.getValue());
      values.put(variable.getKey(), value);
      size += Values.size(value);
    }
    var run = new Run(clock, size);
    try {
      Text text = Interpreter.render(statements, values, run);
      return new Rendered(text.chars(), text.data());
    } catch (TemplateError e) {
      throw e.at(run.line());
    } catch (StackOverflowError e) {
      throw tooDeep().at(run.line());
    }
  }

  private static TemplateError tooDeep() {
    return new TemplateError("it nests too deep for this thread's stack");
  }
}
