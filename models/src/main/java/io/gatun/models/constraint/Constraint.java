package io.gatun.models.constraint;

import io.gatun.models.text.Tokenizer;
import java.util.Map;
import java.util.WeakHashMap;

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
  private final Map<Tokenizer, Masks> masks = new WeakHashMap<>();

  private Constraint(String name, Expr.Rule root) {
    this.name = name;
    grammar = Grammar.compile(root);
  }

  /// Texts of a grammar in llama.cpp's form (GBNF), which begins with the rule `root`.
  ///
  /// @throws ConstraintException if it is not understood, too large, or stands for no text
  public static Constraint gbnf(String grammar) {
    return new Constraint("grammar", Gbnf.parse(grammar));
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
