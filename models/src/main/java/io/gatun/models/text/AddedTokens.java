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

  /// Whether a special token may stand between two places of a text.
  interface Trust {
    boolean at(int start, int end);

    /// Everywhere but where a character is in `untrusted`.
    static Trust outside(BitSet untrusted) {
      return (start, end) -> {
        int first = untrusted.nextSetBit(start);
        return first < 0 || first >= end;
      };
    }
  }

  private final List<AddedToken> special;
  private final Map<Character, List<AddedToken>> byFirstChar = new HashMap<>();
  private final BitSet firstChars = new BitSet();

  AddedTokens(List<AddedToken> tokens) {
    special = tokens.stream().filter(AddedToken::special).toList();
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

  /// The parts of `text`, none of them empty; special tokens count only where there is trust.
  List<Part> split(String text, Trust trust) {
    var parts = new ArrayList<Part>();
    int done = 0;
    for (int i = 0; i < text.length(); ) {
      AddedToken token = firstChars.get(text.charAt(i)) ? match(text, i, trust) : null;
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

  /// The trust in a part's text after normalization, which moves its characters: the nth mention of
  /// a special token in the one is the nth in the other. Where they do not correspond, all of the
  /// part must be trusted.
  Trust afterNormalizing(Part raw, String normalized, Trust trust) {
    int end = raw.start() + raw.text().length();
    if (special.isEmpty() || trust.at(raw.start(), end)) {
      return (from, to) -> true;
    }
    var trusted = new HashMap<Integer, Integer>(); // a place in the normalized text, and its end
    for (AddedToken token : special) {
      List<Integer> before = mentions(raw.text(), token.content());
      List<Integer> after = mentions(normalized, token.match());
      for (int i = 0; i < after.size() && before.size() == after.size(); i++) {
        int start = raw.start() + before.get(i);
        if (trust.at(start, start + token.content().length())) {
          trusted.merge(after.get(i), after.get(i) + token.match().length(), Math::max);
        }
      }
    }
    return (from, to) -> trusted.getOrDefault(from, 0) >= to;
  }

  private static List<Integer> mentions(String text, String token) {
    var places = new ArrayList<Integer>();
    for (int at = text.indexOf(token);
        !token.isEmpty() && at >= 0;
        at = text.indexOf(token, at + 1)) {
      places.add(at);
    }
    return places;
  }

  private AddedToken match(String text, int at, Trust trust) {
    for (AddedToken token : byFirstChar.get(text.charAt(at))) {
      if (text.startsWith(token.match(), at)
          && (!token.special() || trust.at(at, at + token.match().length()))
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
