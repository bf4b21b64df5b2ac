package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// A pattern that a tokenizer's file brings along. It may be hostile: where `java.util.regex` would
/// search for years or run out of stack, an exception ends the search after a number of steps in
/// proportion to the text.
///
/// Steps are the characters that the search looks at. A search can also try many ways without
/// looking at any character, at the end of the text or through empty groups; so the number of ways
/// through the pattern's groups is limited when it is compiled.
final class FilePattern {
  /// GPT-4's patterns need 1 to 20 steps a character.
  private static final long STEPS_PER_CHARACTER = 1000;

  private static final long STEPS = 1_000_000;

  /// The longest known, DeepSeek's list of letters, has 1,000 characters; the known patterns with
  /// the most groups have 81 ways through them.
  private static final int LONGEST = 20_000;

  private static final long WAYS = 4096;

  private final Pattern pattern;
  private final Path file;

  private FilePattern(Pattern pattern, Path file) {
    this.pattern = pattern;
    this.file = file;
  }

  /// Compiles a pattern as Hugging Face's tokenizers write them (Oniguruma, Ruby's syntax).
  ///
  /// @param file whose pattern it is, for messages
  /// @throws CheckpointException if Java cannot, or it refers back to what it has found
  static FilePattern of(String regex, Path file) {
    check(regex, file);
    // Long property names are scripts and binary properties, which Java wants prefixed.
    String java =
        regex.replaceAll("\\\\([pP])\\{(\\^?)(?!Is|In)([A-Z][A-Za-z_]{2,})\\}", "\\\\$1{$2Is$3}");
    try {
      // In Ruby, ^ and $ are at every line's ends, and lines end with a line feed only.
      return new FilePattern(
          Pattern.compile(
              java, Pattern.UNICODE_CHARACTER_CLASS | Pattern.MULTILINE | Pattern.UNIX_LINES),
          file);
    } catch (PatternSyntaxException e) {
      throw refused(regex, file, "is not one that Java understands: " + e.getDescription(), e);
    } catch (StackOverflowError e) {
      throw refused(regex, file, "has too many groups within groups", e);
    }
  }

  /// The text itself.
  static FilePattern literal(String text, Path file) {
    return new FilePattern(Pattern.compile(text, Pattern.LITERAL), file);
  }

  private static void check(String regex, Path file) {
    if (regex.length() > LONGEST) {
      throw refused(regex, file, "has more than " + LONGEST + " characters", null);
    }
    var alternatives = new ArrayDeque<Long>();
    long ways = 1;
    int classes = 0;
    for (int i = 0; i < regex.length(); i++) {
      char c = regex.charAt(i);
      if (c == '\\') {
        char escaped = ++i < regex.length() ? regex.charAt(i) : ' ';
        if (classes == 0 && (escaped == 'k' || (escaped >= '1' && escaped <= '9'))) {
          throw refused(regex, file, "refers back to a group, which Gatun does not have", null);
        }
        if (escaped == 'Q') {
          throw refused(regex, file, "quotes with \\Q, which Gatun does not have", null);
        }
      } else if (c == '[') {
        classes++;
        int first = regex.startsWith("^", i + 1) ? i + 2 : i + 1;
        i = regex.startsWith("]", first) ? first : i; // a bracket like any character
      } else if (c == ']' && classes > 0) {
        classes--;
      } else if (classes == 0) {
        if (c == '(') {
          if (regex.substring(i).matches("(?s)\\(\\?[a-zA-Z]*x.*")) {
            throw refused(regex, file, "is written with comments, which Gatun does not have", null);
          }
          alternatives.push(1L);
        } else if (c == '|' && !alternatives.isEmpty()) {
          alternatives.push(alternatives.pop() + 1);
        } else if (c == ')' && !alternatives.isEmpty()) {
          ways *= alternatives.pop() * repeats(regex, i + 1);
          if (ways > WAYS) {
            throw refused(regex, file, "has too many groups and alternatives", null);
          }
        }
      }
    }
  }

  /// How often what ends before `at` may be repeated, and 1 more for not at all; without a bound it
  /// stops when nothing more is found.
  private static long repeats(String regex, int at) {
    if (at >= regex.length() || "*+?{".indexOf(regex.charAt(at)) < 0) {
      return 1;
    }
    int end = regex.charAt(at) == '{' ? regex.indexOf('}', at) : -1;
    long most = 1;
    for (String count : end < 0 ? new String[0] : regex.substring(at + 1, end).split(",", -1)) {
      most = count.matches("\\d{1,6}") ? Math.max(most, Long.parseLong(count)) : most;
      most = count.length() > 6 ? Integer.MAX_VALUE : most;
    }
    return most + 1;
  }

  private static CheckpointException refused(String regex, Path file, String why, Throwable cause) {
    return new CheckpointException(
        "%s: the tokenizer's pattern \"%s\" %s".formatted(file, Excerpt.of(regex), why), cause);
  }

  /// The search for the pattern in a text.
  Search search(String text) {
    return new Search(text);
  }

  /// One search through one text.
  final class Search {
    private final Steps steps;
    private final Matcher matcher;

    private Search(String text) {
      steps = new Steps(text);
      matcher = pattern.matcher(steps);
    }

    /// Goes on to the next match.
    ///
    /// @throws CheckpointException if that takes too many steps
    boolean find() {
      try {
        return matcher.find();
      } catch (StackOverflowError e) {
        throw endless(e);
      }
    }

    int start() {
      return matcher.start();
    }

    int end() {
      return matcher.end();
    }
  }

  private CheckpointException endless(Throwable cause) {
    return refused(
        pattern.pattern(),
        file,
        "takes too many steps to search a text with: the file is damaged, or made to do harm",
        cause);
  }

  /// A text that counts how often it is looked at.
  private final class Steps implements CharSequence {
    private final String text;
    private long left;

    Steps(String text) {
      this.text = text;
      left = STEPS + STEPS_PER_CHARACTER * text.length();
    }

    @Override
    public char charAt(int index) {
      if (--left < 0) {
        throw endless(null);
      }
      return text.charAt(index);
    }

    @Override
    public int length() {
      return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return text.substring(start, end);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
