package io.gatun.models.template;

import io.gatun.models.template.Token.Kind;
import java.util.List;

/// The tokens of a template from the first to the last, and how deep the parser is in them.
final class TokenReader {
  /// Of tags within tags and brackets within brackets.
  private static final int MAX_DEPTH = 100;

  private final List<Token> tokens;
  private int at;
  private int depth;

  TokenReader(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(at);
  }

  Token next() {
    Token token = tokens.get(at);
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  /// The token after the current one.
  Token following() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  boolean atName(String name) {
    return current().isName(name);
  }

  boolean atOperator(String operator) {
    return current().isOperator(operator);
  }

  boolean skipName(String name) {
    boolean found = atName(name);
    at += found ? 1 : 0;
    return found;
  }

  boolean skipOperator(String operator) {
    boolean found = atOperator(operator);
    at += found ? 1 : 0;
    return found;
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw unexpected("'" + operator + "'");
    }
  }

  void expectName(String name) {
    if (!skipName(name)) {
      throw unexpected("'" + name + "'");
    }
  }

  Token expect(Kind kind, String what) {
    if (current().kind() != kind) {
      throw unexpected(what);
    }
    return next();
  }

  void enter() {
    if (++depth > MAX_DEPTH) {
      throw error("it nests more than %d levels deep".formatted(MAX_DEPTH));
    }
  }

  void leave() {
    depth--;
  }

  TemplateError unexpected(String needed) {
    return error("found %s; need %s".formatted(current(), needed));
  }

  TemplateError error(String message) {
    return TemplateError.syntax(current().line(), message);
  }
}
