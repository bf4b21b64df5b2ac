package io.gatun.models.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;

/// Cuts a text at the added tokens in it: the leftmost first, of those the longest.
final class AddedTokens {
  /// A part of a text: a token if `id` is not negative, else text from the offset `start`.
  record Part(String text, int id, int start) {}

  /// Whether a special token may stand between two places of a text.
  interface Trust {
    Trust EVERYWHERE = (start, end) -> true;

    boolean at(int start, int end);

    /// Everywhere but where a character is in `untrusted`.
    static Trust outside(BitSet untrusted) {
      return (start, end) -> {
        int first = untrusted.nextSetBit(start);
        return first < 0 || first >= end;
      };
    }
  }

  /// What is looked for, each text once.
  private final Vocabulary matches;

  /// The tokens that look for `matches.piece(i)`: of those with the same rules only the first.
  private final List<List<AddedToken>> tokens;

  private final BitSet firstChars = new BitSet();
  private final BitSet lengths = new BitSet();

  AddedTokens(List<AddedToken> all) {
    var byMatch = new LinkedHashMap<String, List<AddedToken>>();
    for (AddedToken token : all) {
      if (!token.match().isEmpty()) {
        var same = byMatch.computeIfAbsent(token.match(), m -> new ArrayList<>(1));
        if (same.stream().noneMatch(token::isFoundWhere)) {
          same.add(token);
        }
        firstChars.set(token.match().charAt(0));
        lengths.set(token.match().length());
      }
    }
    matches = new Vocabulary(byMatch.keySet().toArray(String[]::new));
    tokens = List.copyOf(byMatch.values());
  }

  boolean isEmpty() {
    return tokens.isEmpty();
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

  /// A place where a token is written.
  record Mention(int start, int end) {}

  /// All places where a token is written, those that overlap, too; the longest at each.
  List<Mention> mentions(String text) {
    var places = new ArrayList<Mention>();
    for (int i = 0; i < text.length(); i++) {
      AddedToken token = firstChars.get(text.charAt(i)) ? match(text, i, Trust.EVERYWHERE) : null;
      if (token != null) {
        places.add(new Mention(i, i + token.match().length()));
      }
    }
    return places;
  }

  private AddedToken match(String text, int at, Trust trust) {
    AddedToken longest = null;
    long hash = 0;
    int limit = Math.min(text.length(), at + matches.longest());
    for (int end = at + 1; end <= limit; end++) {
      hash = Vocabulary.hash(hash, text.charAt(end - 1));
      int found = lengths.get(end - at) ? matches.find(text, at, end, hash) : -1;
      if (found >= 0) {
        for (AddedToken token : tokens.get(found)) {
          if ((!token.special() || trust.at(at, end))
              && (!token.singleWord() || isWord(text, at, end))) {
            longest = token;
            break;
          }
        }
      }
    }
    return longest;
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
