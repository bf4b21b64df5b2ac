package io.gatun.models.constraint;

import io.gatun.models.constraint.expr.CharDfa;
import io.gatun.models.constraint.expr.CodePoints;
import io.gatun.models.constraint.expr.Expr;
import io.gatun.models.constraint.expr.Regex;
import io.gatun.models.constraint.json.JsonSchema;
import io.gatun.models.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
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
/// Special tokens are no part of any text but where a [mark][#mark] asks for one; those that end an
/// answer may come where the text may end.
public final class Constraint {
  private static final Expr ANY = Expr.any(new Expr.Chars(CodePoints.ALL));

  private final String name;
  private Grammar grammar;
  private final Expr.Rule root;
  private final String trigger;
  private final Constraint afterTrigger;
  private final List<Trigger> triggers;
  private final List<String> openings;
  private final Map<Tokenizer, Masks> masks = new WeakHashMap<>();

  private Constraint(String name, Expr.Rule root) {
    this(name, root, null, null, List.of(), List.of());
  }

  private Constraint(String name, Expr root) {
    this(name, new Expr.Rule("root", root));
  }

  private Constraint(
      String name,
      Expr.Rule root,
      String trigger,
      Constraint afterTrigger,
      List<Trigger> triggers,
      List<String> openings) {
    this.name = name;
    this.root = root;
    this.trigger = trigger;
    this.afterTrigger = afterTrigger;
    this.triggers = List.copyOf(triggers);
    this.openings = openings == null ? null : List.copyOf(openings);
  }

  /// Compiled, as it is meant to be used by itself and not as a part of others.
  ///
  /// @throws ConstraintException if it is too large, or stands for no text
  private Constraint whole() {
    grammar();
    return this;
  }

  private synchronized Grammar grammar() {
    if (grammar == null) {
      grammar = Grammar.compile(root);
    }
    return grammar;
  }

  /// Texts of a grammar in llama.cpp's form (GBNF), which begins with the rule `root`.
  ///
  /// @throws ConstraintException if it is not understood, too large, or stands for no text
  public static Constraint gbnf(String grammar) {
    return new Constraint("grammar", Gbnf.parse(grammar)).whole();
  }

  /// Texts that match a regular expression as a whole. The form is that of ECMA-262, without back
  /// references, lookaround and word boundaries.
  ///
  /// @throws ConstraintException if it is not understood or too large
  public static Constraint regex(String pattern) {
    return new Constraint("regular expression", Regex.whole(pattern, "pattern " + pattern)).whole();
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
    return new Constraint("choice", new Expr.Choice(texts.stream().map(Expr::text).toList()))
        .whole();
  }

  /// JSON that is valid by a schema: see the README for what of JSON Schema (draft 2020-12) is
  /// supported. Properties come in the order of the schema.
  ///
  /// @throws ConstraintException if it is no schema, too large, stands for no value, or has
  ///   keywords that cannot be enforced, with their place
  public static Constraint jsonSchema(String schema) {
    return new Constraint("JSON schema", JsonSchema.compile(schema)).whole();
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
    var free =
        Expr.choice(
            machine(without(List.of(trigger))),
            Expr.sequence(machine(firstEndsWith(trigger)), call()));
    var name = "%s after %s".formatted(this.name, trigger);
    return new Constraint(name, new Expr.Rule("root", free), trigger, this, List.of(), List.of())
        .whole();
  }

  /// Texts that end with another one, and have it nowhere before.
  private static CharDfa firstEndsWith(String end) {
    var text = Expr.text(end);
    var some = new Expr.Repeat(new Expr.Chars(CodePoints.ALL), 1, Expr.UNBOUNDED);
    return CharDfa.of(Expr.sequence(ANY, text)).minus(CharDfa.of(Expr.sequence(ANY, text, some)));
  }

  private static CharDfa without(List<String> texts) {
    var one = new Expr.Choice(texts.stream().map(Expr::text).toList());
    return CharDfa.ANY.minus(CharDfa.of(Expr.sequence(ANY, one, ANY)));
  }

  private static Expr machine(CharDfa texts) {
    return new Expr.Machine(texts, Expr.Chars::new);
  }

  private Expr call() {
    return new Expr.Call(root);
  }

  /// These, one after another.
  public static Constraint sequence(Constraint... parts) {
    return new Constraint(
        "sequence", new Expr.Sequence(Arrays.stream(parts).map(Constraint::call).toList()));
  }

  /// One of these.
  public static Constraint anyOf(List<Constraint> options) {
    return new Constraint(
        "choice", new Expr.Choice(options.stream().map(Constraint::call).toList()));
  }

  /// This, or nothing.
  public Constraint optional() {
    return new Constraint(name, Expr.optional(call()));
  }

  /// This any number of times, also none.
  public Constraint repeated() {
    return new Constraint(name, Expr.any(call()));
  }

  /// A special token, by its name, or the name as a text where the model has no such token.
  public static Constraint mark(String name) {
    return new Constraint("mark", Expr.mark(name));
  }

  /// Any text up to the first [mark][#mark] of this name, and that.
  ///
  /// @param without what does not come before it
  public static Constraint upTo(String mark, String... without) {
    var none = new ArrayList<>(List.of(without));
    var before = none.isEmpty() ? CharDfa.ANY : without(none);
    var spelled = CharDfa.of(Expr.sequence(machine(before), Expr.text(mark)));
    none.add(mark);
    return new Constraint(
        "text up to " + mark,
        Expr.choice(
            Expr.sequence(machine(without(none)), new Expr.Mark(mark)),
            machine(spelled.and(firstEndsWith(mark)))));
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
    var any = new Expr.Rule("root", ANY);
    triggers.forEach(trigger -> trigger.then.whole());
    return new Constraint("constraint of parts", any, null, null, triggers, null);
  }

  /// Texts by this constraint, or such that are free but for what follows triggers: an answer in a
  /// form, or calls of functions.
  ///
  /// @param openings the special tokens that free texts begin with; one that the model has not is
  ///   passed over
  /// @param triggers as for [#wherever]
  public Constraint orOpenedBy(List<String> openings, List<Trigger> triggers) {
    triggers.forEach(trigger -> trigger.then.whole());
    return new Constraint(name + " or calls", root, null, null, triggers, openings);
  }

  List<Trigger> triggers() {
    return triggers;
  }

  /// Whether all texts are free around their parts.
  boolean isFree() {
    return openings == null;
  }

  /// The special tokens that begin a free text where others are not.
  List<String> openings() {
    return isFree() ? List.of() : openings;
  }

  /// The same with a line feed or some spaces before it, or neither.
  public Constraint afterSpace() {
    var space = Regex.whole("\\n?[ ]{0,8}", "white space");
    return new Constraint(name, Expr.sequence(space, call()));
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
      found = masks.computeIfAbsent(tokenizer, t -> new Masks(grammar(), TokenTrie.of(t)));
    }
    return new Matcher(this, found);
  }

  /// What it is: `grammar`, `JSON schema`.
  @Override
  public String toString() {
    return name;
  }
}
