package io.gatun.models.constraint;

import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Regex;
import io.gatun.models.constraint.json.JsonSchema;
import io.gatun.models.text.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.regex.Pattern;

/// What a text that a model writes must look like: `Constraint.gbnf(grammar)`. It is compiled once,
/// and may be used for any number of texts by any number of threads.
///
/// ```java
/// var yesOrNo = Constraint.gbnf("root ::= \"yes\" | \"no\"");
/// llm.generate("Is water wet? ", o -> o.constraint(yesOrNo));
/// ```
///
/// Special tokens are no part of any text; those that end an answer may come where the text may
/// end.
public final class Constraint {
  private final String name;
  private final Grammar grammar;
  private final Expr.Rule root;
  private final String trigger;
  private final Constraint afterTrigger;
  private final List<Trigger> triggers;
  private final Map<Tokenizer, Masks> masks = new WeakHashMap<>();

  private Constraint(String name, Expr.Rule root) {
    this(name, root, null, null, List.of());
  }

  private Constraint(
      String name,
      Expr.Rule root,
      String trigger,
      Constraint afterTrigger,
      List<Trigger> triggers) {
    this.name = name;
    this.root = root;
    this.trigger = trigger;
    this.afterTrigger = afterTrigger;
    this.triggers = List.copyOf(triggers);
    grammar = Grammar.compile(root);
  }

  /// Texts of a grammar in llama.cpp's form (GBNF), which begins with the rule `root`.
  ///
  /// @throws ConstraintException if it is not understood, too large, or stands for no text
  public static Constraint gbnf(String grammar) {
    return new Constraint("grammar", Gbnf.parse(grammar));
  }

  /// Texts that match a regular expression as a whole. The form is that of ECMA-262, without back
  /// references, lookaround and word boundaries.
  ///
  /// @throws ConstraintException if it is not understood or too large
  public static Constraint regex(String pattern) {
    return new Constraint(
        "regular expression", new Expr.Rule("root", Regex.whole(pattern, "pattern " + pattern)));
  }

  /// One of these texts.
  ///
  /// @throws ConstraintException if there are none, or one is empty
  public static Constraint choice(List<String> texts) {
    if (texts.isEmpty() || texts.contains("")) {
      throw new ConstraintException(
          texts.isEmpty()
              ? "there is nothing to choose from; give one choice at least"
              : "a choice is empty; need at least one character");
    }
    return new Constraint(
        "choice", new Expr.Rule("root", new Expr.Choice(texts.stream().map(Expr::text).toList())));
  }

  /// JSON that is valid by a schema: see the README for what of JSON Schema (draft 2020-12) is
  /// supported. Properties come in the order of the schema.
  ///
  /// @throws ConstraintException if it is no schema, too large, stands for no value, or has
  ///   keywords that cannot be enforced, with their place
  public static Constraint jsonSchema(String schema) {
    return new Constraint("JSON schema", JsonSchema.compile(schema));
  }

  /// Any JSON object.
  public static Constraint jsonObject() {
    return jsonSchema("{\"type\": \"object\"}");
  }

  /// Any text until `trigger` comes, if it does; what follows it is by this constraint, to the end.
  /// So a model may answer freely or call a tool, and if it does, the call is valid:
  /// `Constraint.jsonSchema(arguments).after("<tool_call>")`.
  ///
  /// If the trigger is a special token of the model, that token is waited for.
  ///
  /// @throws ConstraintException if the trigger is empty
  public Constraint after(String trigger) {
    if (trigger.isEmpty()) {
      throw new ConstraintException("the trigger is empty; need at least one character");
    }
    var any = Expr.any(new Expr.Chars(CodePoints.ALL));
    var some = new Expr.Repeat(new Expr.Chars(CodePoints.ALL), 1, Expr.UNBOUNDED);
    var text = Expr.text(trigger);
    var without = CharDfa.ANY.minus(CharDfa.of(Expr.sequence(any, text, any)));
    var first =
        CharDfa.of(Expr.sequence(any, text)).minus(CharDfa.of(Expr.sequence(any, text, some)));
    var free =
        Expr.choice(
            new Expr.Machine(without, Expr.Chars::new),
            Expr.sequence(new Expr.Machine(first, Expr.Chars::new), new Expr.Call(root)));
    var name = "%s after %s".formatted(this.name, trigger);
    return new Constraint(name, new Expr.Rule("root", free), trigger, this, List.of());
  }

  /// What has a text be by a constraint for a while.
  ///
  /// @param before is found at the end of what was written, in which special tokens stand by their
  ///   names: it ends with `\\z`
  /// @param then what follows, to its end
  /// @param inThoughts whether it is looked for in thoughts, too
  public record Trigger(Pattern before, Constraint then, boolean inThoughts) {}

  /// Any text, but after each trigger what its constraint says: calls of functions, say. What comes
  /// between is free, and the text may end there.
  public static Constraint wherever(List<Trigger> triggers) {
    var any = new Expr.Rule("root", Expr.any(new Expr.Chars(CodePoints.ALL)));
    return new Constraint("constraint of parts", any, null, null, triggers);
  }

  List<Trigger> triggers() {
    return triggers;
  }

  /// The same with a line feed or some spaces before it, or neither.
  public Constraint afterSpace() {
    var space = Regex.whole("\\n?[ ]{0,8}", "white space");
    var all = Expr.sequence(space, new Expr.Call(root));
    return new Constraint(name, new Expr.Rule("root", all));
  }

  /// The special token that it waits for; -1 if there is none.
  int triggerToken(Tokenizer tokenizer) {
    if (trigger == null) {
      return -1;
    }
    var id = tokenizer.id(trigger);
    return id.isPresent() && tokenizer.isSpecial(id.getAsInt()) ? id.getAsInt() : -1;
  }

  /// What follows the trigger.
  Constraint afterTrigger() {
    return afterTrigger;
  }

  /// The beginning of a text that a model with this vocabulary writes.
  public Matcher start(Tokenizer tokenizer) {
    Masks found;
    synchronized (masks) {
      found = masks.computeIfAbsent(tokenizer, t -> new Masks(grammar, TokenTrie.of(t)));
    }
    return new Matcher(this, found);
  }

  /// What it is: `grammar`, `JSON schema`.
  @Override
  public String toString() {
    return name;
  }
}
