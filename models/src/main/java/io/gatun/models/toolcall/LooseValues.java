package io.gatun.models.toolcall;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/// Values as Python writes them, and as Gemma 4 does: texts between `"`, `'` or `<|"|>`, names of
/// fields without quotes, `True` and `None`.
final class LooseValues {
  /// The text breaks off, or is no value.
  static final class Broken extends Exception {
    private static final long serialVersionUID = 1;
    private final boolean atEnd;

    Broken(boolean atEnd) {
      super(null, null, false, false);
      this.atEnd = atEnd;
    }

    /// Whether more text may mend it.
    boolean atEnd() {
      return atEnd;
    }
  }

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final List<String> QUOTES = List.of("<|\"|>", "<escape>", "\"", "'");
  private static final int DEEPEST = 100;

  private final String text;
  private int at;
  private int depth;

  LooseValues(String text, int at) {
    this.text = text;
    this.at = at;
  }

  int at() {
    return at;
  }

  /// Takes a character if it comes next, after white space.
  boolean take(char c) throws Broken {
    at = JsonPrefix.skipSpace(text, at);
    if (at == text.length()) {
      throw new Broken(true);
    }
    if (text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  void require(char c) throws Broken {
    if (!take(c)) {
      throw new Broken(false);
    }
  }

  /// A name without quotes, or a text.
  String name() throws Broken {
    at = JsonPrefix.skipSpace(text, at);
    String quote = quote();
    if (quote != null) {
      return string(quote);
    }
    int from = at;
    while (at < text.length() && isPartOfName(text.charAt(at))) {
      at++;
    }
    if (at == text.length()) {
      throw new Broken(true);
    }
    if (at == from) {
      throw new Broken(false);
    }
    return text.substring(from, at);
  }

  private static boolean isPartOfName(char c) {
    return Character.isLetterOrDigit(c) || c == '_' || c == '-' || c == '.' || c == '+';
  }

  JsonNode value() throws Broken {
    at = JsonPrefix.skipSpace(text, at);
    if (at == text.length()) {
      throw new Broken(true);
    }
    String quote = quote();
    if (quote != null) {
      return NODES.textNode(string(quote));
    }
    if (++depth > DEEPEST) {
      throw new Broken(false);
    }
    JsonNode found =
        switch (text.charAt(at)) {
          case '{' -> object();
          case '[' -> list(']');
          case '(' -> list(')');
          default -> word(name());
        };
    depth--;
    return found;
  }

  private String quote() throws Broken {
    for (String quote : QUOTES) {
      if (text.startsWith(quote, at)) {
        return quote;
      }
      if (quote.startsWith(text.substring(at)) && at < text.length()) {
        throw new Broken(true);
      }
    }
    return null;
  }

  private String string(String quote) throws Broken {
    at += quote.length();
    if (quote.length() > 1) { // nothing is escaped there
      int end = text.indexOf(quote, at);
      if (end < 0) {
        throw new Broken(true);
      }
      String all = text.substring(at, end);
      at = end + quote.length();
      return all;
    }
    var all = new StringBuilder();
    for (; at < text.length(); at++) {
      char c = text.charAt(at);
      if (c == quote.charAt(0)) {
        at++;
        return all.toString();
      }
      all.append(c == '\\' ? escaped() : c);
    }
    throw new Broken(true);
  }

  /// Leaves `at` on the last character of what is escaped.
  private char escaped() throws Broken {
    if (++at == text.length()) {
      throw new Broken(true);
    }
    char c = text.charAt(at);
    int digits = c == 'u' ? 4 : c == 'x' ? 2 : 0;
    if (digits > 0) {
      if (at + digits >= text.length()) {
        throw new Broken(true);
      }
      try {
        int code = Integer.parseInt(text.substring(at + 1, at + 1 + digits), 16);
        at += digits;
        return (char) code;
      } catch (NumberFormatException e) {
        throw new Broken(false);
      }
    }
    return switch (c) {
      case 'n' -> '\n';
      case 't' -> '\t';
      case 'r' -> '\r';
      case 'b' -> '\b';
      case 'f' -> '\f';
      default -> c;
    };
  }

  private ObjectNode object() throws Broken {
    require('{');
    var all = NODES.objectNode();
    while (!take('}')) {
      String name = name();
      require(':');
      all.set(name, value());
      if (!take(',')) {
        require('}');
        return all;
      }
    }
    return all;
  }

  private ArrayNode list(char end) throws Broken {
    at++;
    var all = NODES.arrayNode();
    while (!take(end)) {
      all.add(value());
      if (!take(',')) {
        require(end);
        return all;
      }
    }
    return all;
  }

  private static JsonNode word(String word) throws Broken {
    switch (word) {
      case "True", "true" -> {
        return NODES.booleanNode(true);
      }
      case "False", "false" -> {
        return NODES.booleanNode(false);
      }
      case "None", "null" -> {
        return NODES.nullNode();
      }
      default -> {
        try {
          return word.matches("[-+]?\\d{1,18}")
              ? NODES.numberNode(Long.parseLong(word))
              : NODES.numberNode(new java.math.BigDecimal(word));
        } catch (NumberFormatException e) {
          throw new Broken(false);
        }
      }
    }
  }
}
