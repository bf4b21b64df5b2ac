package io.gatun.models.text;

import java.util.ArrayList;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Rewrites what Jinjava reads otherwise than Jinja2 into what both read alike.
final class JinjaDialect {
  /// `not x is y`, which Jinjava takes for `(not x) is y`.
  private static final Pattern NOT_IS =
      Pattern.compile("\\bnot\\s+([\\w.]+(?:\\[[^\\[\\]]*\\][\\w.]*)*)\\s+is\\s+(?!not\\b)");

  private static final Pattern CONSTANT = Pattern.compile("\\b(True|False|None)\\b");

  /// Marks of the answer's extent, for training only.
  private static final Pattern GENERATION =
      Pattern.compile("\\{%(-?)\\s*(?:end)?generation\\s*(-?)%\\}");

  private JinjaDialect() {}

  static String rewrite(String template) {
    String text = template.endsWith("\n") ? template.substring(0, template.length() - 1) : template;
    text = GENERATION.matcher(text).replaceAll("{%$1 if true $2%}{%$1 endif $2%}");
    var out = new StringBuilder();
    int done = 0;
    for (int open = text.indexOf('{'); open >= 0; open = text.indexOf('{', open)) {
      if (text.startsWith("{#", open)) {
        int end = text.indexOf("#}", open);
        open = end < 0 ? text.length() : end + 2;
      } else if (text.startsWith("{%", open) || text.startsWith("{{", open)) {
        int end = tagEnd(text, open + 2);
        out.append(text, done, open).append(rewriteTag(text.substring(open, end)));
        open = end;
        done = end;
      } else {
        open++;
      }
    }
    return out.append(text.substring(done)).toString();
  }

  /// Where the tag ends whose inside begins at `i`: after `%}` or `}}` that is in no string.
  private static int tagEnd(String text, int i) {
    String close = text.charAt(i - 1) == '%' ? "%}" : "}}";
    while (i < text.length()) {
      if (text.startsWith(close, i)) {
        return i + 2;
      }
      i = isQuote(text.charAt(i)) ? stringEnd(text, i) : i + 1;
    }
    return text.length();
  }

  private static boolean isQuote(char c) {
    return c == '\'' || c == '"';
  }

  /// Behind the string that begins at `i`.
  private static int stringEnd(String text, int i) {
    char quote = text.charAt(i++);
    while (i < text.length() && text.charAt(i) != quote) {
      i += text.charAt(i) == '\\' ? 2 : 1;
    }
    return Math.min(i + 1, text.length());
  }

  /// Strings are set aside (as `\u0001number\u0001`) while the code around them is rewritten.
  private static String rewriteTag(String tag) {
    var strings = new ArrayList<String>();
    var code = new StringBuilder();
    for (int i = 0; i < tag.length(); ) {
      if (isQuote(tag.charAt(i))) {
        int end = stringEnd(tag, i);
        code.append('\u0001').append(strings.size()).append('\u0001');
        strings.add(tag.substring(i, end));
        i = end;
      } else {
        code.append(tag.charAt(i++));
      }
    }
    String rewritten = NOT_IS.matcher(code).replaceAll("$1 is not ");
    rewritten =
        CONSTANT.matcher(rewritten).replaceAll(match -> match.group().toLowerCase(Locale.ROOT));
    rewritten = rewritten.replace("[::-1]", "|reverse|list");
    rewritten = namespaceArguments(rewritten);
    return Pattern.compile("\u0001(\\d+)\u0001")
        .matcher(rewritten)
        .replaceAll(
            match -> Matcher.quoteReplacement(strings.get(Integer.parseInt(match.group(1)))));
  }

  /// `namespace(n=a - 1)`, which Jinjava takes for `namespace((n=a) - 1)`.
  private static String namespaceArguments(String code) {
    int open = code.indexOf("namespace(");
    if (open < 0) {
      return code;
    }
    int start = open + "namespace(".length();
    var arguments = new ArrayList<String>();
    int depth = 0;
    int from = start;
    int i = start;
    for (; i < code.length() && depth >= 0; i++) {
      char c = code.charAt(i);
      depth += c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
      if (depth < 0 || (depth == 0 && c == ',')) {
        arguments.add(code.substring(from, i));
        from = i + 1;
      }
    }
    return code.substring(0, start)
        + String.join(",", arguments.stream().map(JinjaDialect::argument).toList())
        + ")"
        + namespaceArguments(code.substring(i));
  }

  private static String argument(String text) {
    int equals = text.indexOf('=');
    return equals < 0
        ? text
        : text.substring(0, equals + 1) + "(" + text.substring(equals + 1) + ")";
  }
}
