package io.gatun.models.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Cuts a text at the added tokens in it: the leftmost first, of those the longest.
final class AddedTokens {
  /// A part of a text: a token if `id` is not negative, else text from the offset `start`.
  record Part(String text, int id, int start) {}

  private final Map<Character, List<AddedToken>> byFirstChar = new HashMap<>();
  private final BitSet firstChars = new BitSet();

  AddedTokens(List<AddedToken> tokens) {
    for (AddedToken token : tokens) {
      if (!token.match().isEmpty()) {
        char first = token.match().charAt(0);
        byFirstChar.computeIfAbsent(first, c -> new ArrayList<>()).add(token);
        firstChars.set(first);
      }
    }
    for (List<AddedToken> tokensOfChar : byFirstChar.values()) {
      tokensOfChar.sort(
          Comparator.comparingInt((AddedToken token) -> token.match().length()).reversed());
    }
  }

  /// The parts of `text`, none of them empty; special tokens count only if `special`.
  List<Part> split(String text, boolean special) {
    var parts = new ArrayList<Part>();
    int done = 0;
    for (int i = 0; i < text.length(); ) {
      AddedToken token = firstChars.get(text.charAt(i)) ? match(text, i, special) : null;
      if (token == null) {
        i++;
        continue;
      }
      int start = i;
      int end = i + token.match().length();
      if (token.lstrip()) {
        while (start > done && Normalizers.isSpace(text.codePointBefore(start))) {
          start = text.offsetByCodePoints(start, -1);
        }
      }
      if (token.rstrip()) {
        while (end < text.length() && Normalizers.isSpace(text.codePointAt(end))) {
          end = text.offsetByCodePoints(end, 1);
        }
      }
      if (start > done) {
        parts.add(new Part(text.substring(done, start), -1, done));
      }
      parts.add(new Part(token.content(), token.id(), start));
      done = end;
      i = end;
    }
    if (done < text.length()) {
      parts.add(new Part(text.substring(done), -1, done));
    }
    return parts;
  }

  private AddedToken match(String text, int at, boolean special) {
    for (AddedToken token : byFirstChar.get(text.charAt(at))) {
      if ((special || !token.special())
          && text.startsWith(token.match(), at)
          && (!token.singleWord() || isWord(text, at, at + token.match().length()))) {
        return token;
      }
    }
    return null;
  }

  private static boolean isWord(String text, int start, int end) {
    return (start == 0 || !isWordChar(text.codePointBefore(start)))
        && (end == text.length() || !isWordChar(text.codePointAt(end)));
  }

  /// `\w` of Unicode's regular expressions (UTS 18, annex C).
  private static boolean isWordChar(int c) {
    return switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK,
          Character.COMBINING_SPACING_MARK,
          Character.ENCLOSING_MARK,
          Character.DECIMAL_DIGIT_NUMBER,
          Character.CONNECTOR_PUNCTUATION ->
          true;
      default -> Character.isAlphabetic(c) || c == 0x200C || c == 0x200D;
    };
  }
}
