package io.gatun.models.text;

import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.objects.collections.PyList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import jinjava.javax.el.CompositeELResolver;
import jinjava.javax.el.ELContext;

/// Python's string methods for Jinja templates, in place of Java's, which Jinjava offers.
final class PythonMethods extends CompositeELResolver {
  PythonMethods() {
    add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
    if (base instanceof String text) {
      context.setPropertyResolved(true);
      return invoke(text, method.toString(), arguments == null ? new Object[0] : arguments);
    }
    return super.invoke(context, base, method, types, arguments);
  }

  private static Object invoke(String text, String method, Object[] arguments) {
    Object first = arguments.length > 0 ? arguments[0] : null;
    return switch (method) {
      case "strip" -> strip(text, first, true, true);
      case "lstrip" -> strip(text, first, true, false);
      case "rstrip" -> strip(text, first, false, true);
      case "upper" -> text.toUpperCase(Locale.ROOT);
      case "lower" -> text.toLowerCase(Locale.ROOT);
      case "title" -> title(text);
      case "capitalize" ->
          text.isEmpty()
              ? text
              : text.substring(0, 1).toUpperCase(Locale.ROOT)
                  + text.substring(1).toLowerCase(Locale.ROOT);
      case "startswith" -> candidates(first).stream().anyMatch(text::startsWith);
      case "endswith" -> candidates(first).stream().anyMatch(text::endsWith);
      case "replace" -> text.replace(need(arguments, 0), need(arguments, 1));
      case "removeprefix" ->
          text.startsWith(need(arguments, 0)) ? text.substring(need(arguments, 0).length()) : text;
      case "removesuffix" ->
          text.endsWith(need(arguments, 0))
              ? text.substring(0, text.length() - need(arguments, 0).length())
              : text;
      case "find" -> (long) text.indexOf(need(arguments, 0));
      case "rfind" -> (long) text.lastIndexOf(need(arguments, 0));
      case "count" -> (long) (text.split(Pattern.quote(need(arguments, 0)), -1).length - 1);
      case "isdigit" -> !text.isEmpty() && text.chars().allMatch(Character::isDigit);
      case "join" -> String.join(text, candidates(first));
      case "split" -> split(text, arguments);
      case "splitlines" -> list(text.lines().toList());
      default ->
          throw new IllegalArgumentException("strings have no method \"" + method + "\" here");
    };
  }

  private static String need(Object[] arguments, int index) {
    if (index < arguments.length && arguments[index] instanceof String text) {
      return text;
    }
    throw new IllegalArgumentException("a string method lacks an argument, or it is no string");
  }

  private static List<String> candidates(Object value) {
    return switch (value) {
      case Iterable<?> many -> {
        var texts = new ArrayList<String>();
        many.forEach(each -> texts.add(String.valueOf(each)));
        yield texts;
      }
      case Object[] many -> Arrays.stream(many).map(String::valueOf).toList();
      case null -> throw new IllegalArgumentException("a string method lacks its argument");
      default -> List.of(value.toString());
    };
  }

  private static String strip(String text, Object characters, boolean left, boolean right) {
    int start = 0;
    int end = text.length();
    while (left && start < end && strips(text.charAt(start), characters)) {
      start++;
    }
    while (right && end > start && strips(text.charAt(end - 1), characters)) {
      end--;
    }
    return text.substring(start, end);
  }

  private static boolean strips(char c, Object characters) {
    return characters == null
        ? Normalizers.isSpace(c) || (c >= 0x1C && c <= 0x1F)
        : characters.toString().indexOf(c) >= 0;
  }

  private static PyList split(String text, Object[] arguments) {
    int most = arguments.length > 1 && arguments[1] instanceof Number n ? n.intValue() : -1;
    var parts = new ArrayList<String>();
    if (arguments.length == 0 || arguments[0] == null) {
      String stripped = strip(text, null, true, true);
      return list(stripped.isEmpty() ? List.of() : List.of(stripped.split("(?U)\\s+", most + 1)));
    }
    String separator = need(arguments, 0);
    if (separator.isEmpty()) {
      throw new IllegalArgumentException("split: the separator is empty");
    }
    int from = 0;
    for (int at = text.indexOf(separator);
        at >= 0 && (most < 0 || parts.size() < most);
        at = text.indexOf(separator, from)) {
      parts.add(text.substring(from, at));
      from = at + separator.length();
    }
    parts.add(text.substring(from));
    return list(parts);
  }

  private static PyList list(List<String> texts) {
    return new PyList(new ArrayList<>(texts));
  }

  private static String title(String text) {
    var out = new StringBuilder(text.length());
    boolean inWord = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      out.append(inWord ? Character.toLowerCase(c) : Character.toUpperCase(c));
      inWord = Character.isLetter(c);
    }
    return out.toString();
  }
}
