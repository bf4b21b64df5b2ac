package io.gatun.models.template;

/// A piece of a template's source.
///
/// @param text the characters; of a string, what it stands for
record Token(Kind kind, String text, int line) {
  enum Kind {
    /// Text between tags, to be written as it is.
    TEXT,
    BLOCK_BEGIN,
    BLOCK_END,
    PRINT_BEGIN,
    PRINT_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind of, String what) {
    return kind == of && text.equals(what);
  }

  boolean isName(String name) {
    return is(Kind.NAME, name);
  }

  boolean isOperator(String operator) {
    return is(Kind.OPERATOR, operator);
  }

  @Override
  public String toString() {
    return switch (kind) {
      case END -> "the template's end";
      case TEXT -> "text";
      case BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, NAME, INTEGER, FLOAT, OPERATOR ->
          "'" + text + "'";
      case STRING -> "a string";
    };
  }
}
